"""Kinds of streets: how each is furnished."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """How a kind of street is furnished; counts are means for a scene of 70 m range.

    Attributes:
        weight: how often this kind comes.
        parked: chance that a parking place beside the street is taken.
        parking_lots: chance that cars stand across to the street instead of along it.
        traffic: cars that drive.
        crossing: chance of a side street with cars on it.
        pedestrians: persons, in small groups.
        cyclists: persons on bicycles.
        houses: share of the street's length with house fronts (hedges and walls stand in the rest).
        trees: trees and bushes.
        furniture: poles and clutter.
        lane: width of a lane.
        verge: material of the ground behind the pavement.
    """

    weight: float
    parked: float
    parking_lots: float
    traffic: float
    crossing: float
    pedestrians: float
    cyclists: float
    houses: float
    trees: float
    furniture: float
    lane: float
    verge: str


# fmt: off
STYLES: dict[str, Style] = {
    #                     weight parked lots traffic crossing people cyclists houses trees furniture lane verge
    'residential':  Style(0.32, 0.26, 0.25, 1.1, 0.25, 1.0, 0.7, 0.65, 14, 8, 2.9, 'grass'),
    'city':         Style(0.24, 0.20, 0.10, 1.8, 0.45, 4.2, 2.0, 0.90, 6, 16, 3.2, 'pavement'),
    'main road':    Style(0.20, 0.04, 0.00, 3.4, 0.45, 0.6, 1.0, 0.45, 14, 14, 3.5, 'grass'),
    'country road': Style(0.12, 0.00, 0.00, 1.4, 0.05, 0.1, 0.4, 0.10, 32, 5, 3.3, 'grass'),
    'square':       Style(0.12, 0.18, 0.60, 0.4, 0.10, 5.5, 2.0, 0.70, 10, 14, 3.0, 'pavement'),
}
# fmt: on

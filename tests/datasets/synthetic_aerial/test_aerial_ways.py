import numpy as np
import pytest

from pointkd.datasets.synthetic_aerial.plan import KERB_M, Area, Plan, Road
from pointkd.datasets.synthetic_aerial.ways import ROW_M, WAYS, nearest_road, on_road

ROAD = Road(axis=0, centre=0.0, lanes=2, lane_m=3.2, parking=True, pavement_m=4.0)
CROSS = Road(axis=1, centre=60.0, lanes=1, lane_m=3.0, parking=False, pavement_m=3.0)
AREAS = [
    Area('lot', (-40.0, 0.0), (13.0, 40.0)),
    Area('building', (0.0, 50.0), (13.0, 40.0)),
    Area('plaza', (-40.0, 50.0), (-40.0, -13.0)),
]
PLAN = Plan(0.3, ((-40.0, 80.0), (-40.0, 40.0)), [ROAD, CROSS], AREAS, [(ROAD, 5.0)])
EMPTY = Plan(0.0, ((-9.0, 9.0), (-9.0, 9.0)), [], [])


def spots(way, points):
    rng = np.random.default_rng(0)
    return [WAYS[way](PLAN, rng, *map(float, point)) for point in points]


def on_main(count=200):
    rng = np.random.default_rng(1)
    return np.column_stack([rng.uniform(-40, 45, count), rng.uniform(-10, 10, count)])


def test_lanes_keep_to_the_right():
    for (_, t), spot in zip(on_main(), spots('lane', on_main()), strict=True):
        assert abs(spot[1]) < ROAD.lanes * ROAD.lane_m
        assert (spot[1] > 0) == (t >= 0)
        assert np.cos(spot[2]) * np.sign(t) < -0.9  # above the middle, traffic goes back along s


def test_parked_cars_stand_at_the_kerb_where_the_road_has_a_row_for_them():
    for spot in spots('kerb', on_main()):
        assert abs(spot[1]) == pytest.approx(ROAD.half() - KERB_M / 2, abs=0.5)
    assert spots('kerb', [(61.0, 30.0)]) == [None]


def test_people_walk_on_the_pavement():
    for spot in spots('pavement', on_main()):
        assert ROAD.half() - 1.0 < abs(spot[1]) < ROAD.reach() + 1.2


def test_cycles_ride_at_the_edge_and_stand_in_rows():
    for spot in spots('edge', on_main()):
        assert abs(spot[1]) < ROAD.lanes * ROAD.lane_m
    for spot in spots('row', on_main()):
        assert ROAD.half() < abs(spot[1]) < ROAD.reach()
        assert abs(spot[0] / ROW_M - round(spot[0] / ROW_M)) < 0.4


def test_crossings_lead_over_the_road():
    found = np.array(spots('crossing', on_main()))
    assert (np.abs(found[:, 0] - 5.0) < 2.0).all()
    assert (np.abs(found[:, 1]) <= ROAD.half()).all()
    assert np.abs(np.sin(found[:, 2])).mean() > 0.9


def test_stalls_lie_in_the_car_park():
    inside = np.random.default_rng(2).uniform((-39, 14), (-1, 39), (200, 2))
    found = [spot for spot in spots('lot', inside) if spot]
    assert len(found) > 100
    for spot in found:
        assert AREAS[0].holds(spot[0], spot[1])
        assert abs(np.sin(spot[2])) > 0.95
    assert spots('lot', [(10.0, 20.0), (0.0, 0.0)]) == [None, None]


def test_the_cross_road_turns_places():
    spot = spots('lane', [(59.0, 30.0)])[0]
    assert abs(spot[0] - CROSS.centre) < CROSS.half()
    assert spot[1] == pytest.approx(30.0)
    assert abs(np.sin(spot[2])) > 0.95


def test_plaza_and_open_ground():
    assert spots('plaza', [(0.0, -20.0)])[0][:2] == (0.0, -20.0)
    assert spots('plaza', [(0.0, 0.0), (10.0, 20.0)]) == [None, None]
    assert spots('open', [(10.0, 20.0)]) == [None]
    assert spots('open', [(0.0, 0.0)])[0][:2] == (0.0, 0.0)


@pytest.mark.parametrize('way', sorted(set(WAYS) - {'open'}))
def test_a_plan_without_anything_has_no_place(way):
    assert WAYS[way](EMPTY, np.random.default_rng(0), 0.0, 0.0) is None
    assert nearest_road(EMPTY, 0.0, 0.0) is None
    assert not on_road(EMPTY, 0.0, 0.0)

"""The matrix product that finds the candidates of nearest neighbours, and the exact choice among them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor
from torch.nn.functional import pad

from pointkd.distill.functional._nearest_loops import choose

MAX_GROUP = 32  # candidates that share one minimum: larger groups cost less and draw a looser line
GROUPS = 5  # groups an answer, at least
CROWD = 4096  # candidates of a centre (beside 8k) beyond which a line drawn nearer by pays
PAIRS = 2**15  # pairs whose differences are held at once
CACHE = 5 * 2**18  # bytes of a product that stays in a core's cache while it is looked through
ROWS = 64  # centres a product, at least: fewer make it slow


class Table:
    """The candidates as seen from one place; distances near it are sharp.

    Args:
        exact: (M, C) float64, all elements.
        index: (E,) int64, ascending: the elements that can be a neighbour.
        origin: (C,) float64, the place.
        k: neighbours of a centre.

    Attributes:
        scale: what one unit of the table is; its numbers lie in [-1, 1].
        columns: (C+1, G*S) the candidates, with their squared norms in the last row. Padding up to S groups of G is
            zero, infinitely far away. Group s is every S-th candidate from s on: minima run along contiguous memory.
        group: G.
        slack: s, see `line`.
    """

    def __init__(self, exact: Tensor, index: Tensor, origin: Tensor, k: int) -> None:
        self.exact, self.index, self.origin, self.k = exact, index, origin, k
        centred = exact[index] - origin
        self.scale = (
            centred.abs().amax().clamp(min=torch.finfo(torch.float64).tiny) if centred.numel() else origin.sum()
        )
        # Where the user lets matrix products round to TF32 or bfloat16, the bound holds in float64 only.
        kind = torch.float32 if torch.get_float32_matmul_precision() == 'highest' else torch.float64
        candidates = centred.div_(self.scale).to(kind)
        self.group = max(1, min(MAX_GROUP, len(index) // (GROUPS * k)))
        padding = -len(index) % self.group
        squares = pad(candidates.square().sum(1), (0, padding), value=torch.inf)
        self.columns = torch.cat([pad(candidates, (0, 0, 0, padding)).t(), squares.unsqueeze(0)])
        self.slack = 2 * (exact.shape[1] + 8) * torch.finfo(kind).eps

    def nearest(self, centres: Tensor, memory_mb: int) -> tuple[Tensor, Tensor]:
        """Return the nearest elements of centres.

        Args:
            centres: (n,) int64.
            memory_mb: memory for the products.

        Returns:
            answer: (n, k) int64, by rising distance, ties by rising element.
            done: (n,) bool, False where the answer means nothing: too many candidates seem equally near from here.
        """
        queries = ((self.exact[centres] - self.origin) / self.scale).to(self.columns.dtype)
        own = queries.square().sum(1)
        queries = torch.cat([-2 * queries, torch.ones_like(own).unsqueeze(1)], dim=1)  # (n, C+1)
        limit = max(1, memory_mb * 2**20 // (self.columns.element_size() * self.columns.shape[1]))
        by = self._by_loops if has_loops(centres.device) else self._by_tensors
        return by(queries, own, centres, limit)

    def _by_loops(self, queries: Tensor, own: Tensor, centres: Tensor, limit: int) -> tuple[Tensor, Tensor]:
        """Choose in compiled loops, each thread a part of the rows of a product that fits into its cache."""
        threads, width = torch.get_num_threads(), self.columns.shape[1]
        part = max(ROWS, CACHE // (self.columns.element_size() * width))
        chunk = min(limit, threads * part)
        answer = centres.new_empty(len(centres), self.k)
        done = torch.empty(len(centres), dtype=torch.bool)
        room = self.columns.new_empty(min(chunk, len(centres)), width)
        arrays = [entry.numpy() for entry in (own.double(), centres, answer, done)]

        def look(rows: slice, product: Tensor) -> None:
            mine = [array[rows] for array in arrays]
            tables = (self.index.numpy(), self.exact.numpy(), self.group, CROWD + 8 * self.k)
            choose(product.numpy(), mine[0], self.slack, mine[1], *tables, *mine[2:])

        with ThreadPoolExecutor(threads) as pool:
            for start in range(0, len(centres), chunk):
                rows = queries[start : start + chunk]
                product = torch.mm(rows, self.columns, out=room[: len(rows)])
                step = -(-len(rows) // threads)
                places = [slice(start + place, start + place + step) for place in range(0, len(rows), step)]
                parts = list(zip(places, product.split(step), strict=True))
                others = [pool.submit(look, *part) for part in parts[1:]]
                look(*parts[0])  # here: it lies in this core's cache
                for other in others:
                    other.result()
        return answer, done

    def _by_tensors(self, queries: Tensor, own: Tensor, centres: Tensor, limit: int) -> tuple[Tensor, Tensor]:
        """Choose in tensor operations, on any device."""
        answers, flags = [], []
        for rows, squares, part in zip(queries.split(limit), own.split(limit), centres.split(limit), strict=True):
            row, place = self._candidates(rows @ self.columns, squares)
            few = (squares == 0) | (row.bincount(minlength=len(part)) <= CROWD + 8 * self.k)
            ready = few[row]
            answer = part.new_zeros(len(part), self.k)
            answer[few] = self._closest(part, row[ready], self.index[place[ready]])
            answers.append(answer)
            flags.append(few)
        return torch.cat(answers), torch.cat(flags)

    def _candidates(self, product: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        """Return what may be among the k nearest of each centre, by the line that `line` draws.

        Args:
            product: (n, G*S) |b|² - 2ab.
            own: (n,) |a|².

        Returns:
            row (P,), place (P,): pairs of a row and a candidate's column, rows ascending.
        """
        minima = product.unflatten(1, (self.group, -1)).amin(1)  # (n, S)
        line = self.line(minima.kthvalue(self.k, dim=1).values, own).unsqueeze(1)
        row, first = (minima <= line).nonzero(as_tuple=True)
        place = first.unsqueeze(1) + torch.arange(self.group, device=row.device) * minima.shape[1]  # (groups, G)
        within = product.flatten()[row.unsqueeze(1) * product.shape[1] + place] <= line[row]
        return row.unsqueeze(1).expand_as(place)[within], place[within]

    def line(self, bound: Tensor, own: Tensor) -> Tensor:
        """Return what the product of a true neighbour can't exceed.

        Let p = |b|² - 2ab be the product and s a bound of its error, |p + |a|² - d| <= s (|a|² + |b|²), for a candidate
        b at the squared distance d. With |b|² <= 2|a|² + 2d the error is at most s (3|a|² + 2d). The k-th smallest of
        minima over disjoint groups is at least the k-th smallest p; call it t. Then k candidates have d <= T,
        T = (t + |a|² + 3s|a|²) / (1 - 2s), and each of the k nearest has p + |a|² <= T + s (3|a|² + 2T).

        Args:
            bound: (n,) t.
            own: (n,) |a|².
        """
        s = self.slack
        farthest = (bound + own * (1 + 3 * s)).clamp(min=0) / (1 - 2 * s)
        return farthest * (1 + 2 * s) + own * (3 * s) - own

    def _closest(self, centres: Tensor, row: Tensor, candidate: Tensor) -> Tensor:
        """Return the k nearest candidates of each centre that has any.

        Args:
            centres: (n,) elements.
            row, candidate: (P,) pairs of a place in `centres`, ascending, and an element.
        """
        order = candidate.sort().indices  # then stable by distance, then by centre
        order = order[self._distances(centres[row[order]], candidate[order]).sort(stable=True).indices]
        order = order[row[order].sort(stable=True).indices]
        counts = row.unique_consecutive(return_counts=True)[1]
        start = counts.cumsum(0) - counts
        return candidate[order[start.unsqueeze(1) + torch.arange(self.k, device=row.device)]]

    def _distances(self, one: Tensor, other: Tensor) -> Tensor:
        """Return the squared distances (P,) of pairs of elements, by their differences."""
        parts = zip(one.split(PAIRS), other.split(PAIRS), strict=True)
        return torch.cat([(self.exact[a] - self.exact[b]).square_().sum(1) for a, b in parts])


def has_loops(device: torch.device) -> bool:
    """Return whether the compiled loops run on a device."""
    return device.type == 'cpu'

"""A made-up checkout with a suite of two data sets, and records that nobody trained; the other tests use them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pointkd.core.files import sha256
from pointkd.report.results.places import Places
from pointkd.report.results.plan import State, plan
from pointkd.report.results.reading import read_suite
from pointkd.report.results.records import write_record
from pointkd.report.results.suite import Suite

NET = """
model = dict(type='Net', width=4)
train_dataloader = dict(batch_size=1, num_workers=2, dataset=dict(ann_file='kitti_infos_train.pkl'))
val_dataloader = dict(batch_size=1)
test_dataloader = dict(dataset=dict(ann_file='kitti_infos_val.pkl'))
val_evaluator = dict(type='KittiMetric')
test_evaluator = dict(type='KittiMetric', ann_file='data/kitti_infos_val.pkl')
train_cfg = dict(by_epoch=True, max_epochs=2)
val_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=3e-4))
"""
SUITE = """
methods = [dict(type='LocalGraph', student='voxel_encoder', weight=1.0)]
data = dict(
    configs=dict(net='configs/net.py', big='configs/net.py'),
    schedule=dict(iterations=100),
    teacher='big',
)
suite = dict(
    title='Made up',
    numerics=dict(precision='f32', threads=1),
    control='plain',
    teachers=dict(big=dict(dataset='streets', config='big', schedule=dict(iterations=200), sha256=SHA256)),
    datasets=[
        dict(
            data,
            name='cars',
            title='Cars',
            root='cars',
            lists=dict(train='train', val='val', test='test'),
            classes=['Car'],
            overlaps={'0.5': {'Car': 0.5}},
            columns=[dict(title='3D'), dict(title='BEV 0.5', metric='bev', overlaps='0.5')],
        ),
        dict(
            data,
            name='streets',
            title='Streets',
            make='create-data synthetic-kitti --scenes 6',
            frames=dict(train=3, val=1, test=2),
            classes=['Car', 'Pedestrian'],
            columns=[dict(title='3D mean')],
        ),
    ],
    arms=[
        dict(name='plain', title='alone', config='net'),
        dict(name='graph', title='LocalGraph', config='net', methods=methods),
        dict(name='wide', title='wide', config='net', options={'model.width': 8}, group='extension', datasets=['cars']),
    ],
)
"""


def make_home(folder: Path, suite: str = SUITE) -> Places:
    """Write the checkout of a suite named `made`; return its places."""
    places = Places(folder, 'made')
    for path, text in {
        'data/teachers/big.pth': 'weights',
        'configs/net.py': NET,
        'docs/results.md': '# Results\n\n<!-- results:made:begin -->\n<!-- results:made:end -->\n\nThe end.\n',
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    digest = repr(sha256(places.home / 'data/teachers/big.pth'))
    (folder / 'configs' / 'results').mkdir()
    (folder / 'configs' / 'results' / 'made.py').write_text(suite.replace('SHA256', digest))
    return places


def read_made(places: Places) -> Suite:
    """Read the suite of a made-up checkout."""
    return read_suite(places.home, places.suite)


def add_record(places: Places, dataset: str, row: str, seed: int, ap: float | None, **changes: Any) -> dict[str, Any]:
    """Write the record of a run with one AP everywhere (0.5 overlaps: 10 more)."""
    suite = read_made(places)
    run = next(
        run
        for run in plan(suite, places, State.read(places), seeds=9)
        if (run.dataset, run.row, run.seed) == (dataset, row, seed)
    )
    assert run.job is not None, run.reason

    def metrics(value: float | None) -> dict[str, Any]:
        return {name: {m: [value] * 3 for m in ('bbox', 'bev', '3d')} for name in run.job.dataset.classes}

    record = {
        'suite': suite.name,
        'dataset': dataset,
        'row': row,
        'config': run.job.fingerprint(places.home),
        'seed': seed,
        'factor': run.job.factor,
        'iterations': run.job.iterations,
        'commit': 'abc',
        'processor': 'a processor',
        'torch': '2',
        'numerics': {},
        'params': 1000 + 10 * len(row),
        'macs': 5_000_000,
        'part': 'test',
        'frames': 2,
        'metrics': {'official': metrics(ap), '0.5': metrics(None if ap is None else ap + 10)},
        'train_seconds': 50.0,
        'losses': {'loss': 1.0},
        'curve': [[50, 2.0 + seed], [100, 1.0 + seed]],
        **changes,
    }
    return write_record(places.record(dataset, row, seed), record)

"""Makes data/demo/teacher.pth: the demo's teacher, trained on scenes of its own (another seed than the demo's).

`python tools/make_demo_teacher.py` takes about half an hour on two cores; `--resume` goes on after a stop.
"""

import argparse
import json
from pathlib import Path

import _verb  # noqa: F401 - puts the checkout on the path


def main() -> None:
    """Train, evaluate, and write the weights in half precision with what they scored."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/demo-teacher'))
    parser.add_argument('--scenes', type=int, default=600)
    parser.add_argument('--iterations', type=int, default=6000)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--resume', action='store_true')
    args = parser.parse_args()

    from pointkd.io.checkpoints import read_checkpoint, save_checkpoint
    from pointkd.report.demo.settings import DemoSettings
    from pointkd.report.demo.steps import detect, make_data, score, train

    settings = DemoSettings(args.work_dir, scenes=args.scenes, seed=args.seed)
    make_data(settings)
    train(settings, 'teacher', args.iterations, resume=args.resume)
    ap = score(settings, detect(settings, 'teacher'))
    moderate = {name: round(ap[name]['3d']['AP40'][1] or 0.0, 2) for name in ('Car', 'Pedestrian', 'Cyclist', 'mAP')}
    state = read_checkpoint(settings.net('teacher') / 'last.pth')['state_dict']
    for name, value in state.items():
        if value.is_floating_point():
            state[name] = value.half()
    made = {'seed': args.seed, 'scenes': args.scenes, 'iterations': args.iterations, '3d_ap40_moderate': moderate}
    save_checkpoint(settings.teacher_weights, {'state_dict': state, 'meta': {'pointkd': made}})
    print(f'{settings.teacher_weights}: {json.dumps(made)}')


if __name__ == '__main__':
    main()

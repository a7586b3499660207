"""Data in VisDrone-DET layout: finding, checking, conversion to COCO files, slices, the dataset class."""

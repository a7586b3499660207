"""Networks and layers that the OpenMMLab packages lack."""

"""Segmentation with uncertainty: mIoU, calibration and pixel-wise OOD detection."""

"""Classification with uncertainty: accuracy, calibration and OOD detection."""

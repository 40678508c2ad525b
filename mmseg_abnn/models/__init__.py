"""Layers, losses, segmentors, classifiers and backbones.

Only the layers are imported here: conversion builds on them, and the segmentors on conversion.
Classifiers and backbones need MMPretrain, see :mod:`mmseg_abnn.classification`.
"""

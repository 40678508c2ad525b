"""Layers, losses and segmentors.

Only the layers are imported here: conversion builds on them, and the segmentors on conversion.
"""

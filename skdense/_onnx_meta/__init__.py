"""Meta-estimators of scikit-learn as operators of ONNX.

skl2onnx converts several of them wrongly around any classifier: it interpolates an isotonic
calibration by the nearest point, ignores tuned thresholds, and asks a pipeline for probabilities
where the calibration was fitted on decision values. So `replacing` puts placeholders in their
place, whose converters live here, in `classifiers` and `regressors`.
"""

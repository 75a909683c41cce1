"""Training: tasks in, trained networks out, without a word of estimators.

`engines` takes the tasks and chooses between the compiled program (`program`, driven by `loop` and
`networks`) and ``keras.Model.fit`` (`keras_engine`). A task holds arrays, numbers and functions.
"""

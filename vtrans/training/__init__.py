"""The reference trainer: settings, the loop, checkpoints that continue exactly, and what a run leaves behind."""

from vtrans.data.settings import DataSettings
from vtrans.training.averages import GeneratorAverage
from vtrans.training.callbacks import Callback, Run, callbacks
from vtrans.training.checkpoints import load_checkpoint, model_folder, save_checkpoint
from vtrans.training.devices import Devices
from vtrans.training.loop import training_steps
from vtrans.training.preparation import Preparation, prepare
from vtrans.training.rates import rate_factor
from vtrans.training.settings import ModelSettings, TrainingSettings
from vtrans.training.stepping import Stepper
from vtrans.training.trainer import Outcome, train

__all__ = [
    "Callback",
    "DataSettings",
    "Devices",
    "GeneratorAverage",
    "ModelSettings",
    "Outcome",
    "Preparation",
    "Run",
    "Stepper",
    "TrainingSettings",
    "callbacks",
    "load_checkpoint",
    "model_folder",
    "prepare",
    "rate_factor",
    "save_checkpoint",
    "train",
    "training_steps",
]

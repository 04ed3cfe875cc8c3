"""The networks: generators, discriminators and predictors, one class a file.

Every network is a plain ``nn.Module`` that keeps four promises:

- its constructor takes keyword arguments only, refuses bad ones at once, and initialises its own weights;
- ``multiple`` and ``minimum`` say which sizes it takes, and its forward refuses others by naming the nearest that work;
- the elements of a batch do not see each other, save where a layer that says so (batch norm) is asked for;
- it runs in float32 and float64, on any device, and under ``torch.compile``.

An option means the same in every network that has it. A network's own docstring names these again only where it has
something to add:

- ``in_channels``: Channels of the frames that come.
- ``out_channels``: Channels of the frames that leave.
- ``channels``: Channels of the frames.
- ``context``: Number of frames that a predictor looks back on, at least 1.
- ``norm``: ``"instance"``, ``"batch"``, ``"group"`` or ``"none"``: see ``vtrans.networks.norms.norm_layer``.
- ``padding``: Borders inside the blocks: ``"reflect"``, ``"replicate"`` or ``"zero"``.
- ``dropout``: Rate in [0, 1); 0 is off, the published value is 0.5.
- ``init``: Law of the initial weights, ``"normal"``, ``"xavier"``, ``"kaiming"`` or ``"orthogonal"``: see
  ``vtrans.initialize``.
- ``init_gain``: Scale of the initial weights, above 0; None takes the law's own.

An option of the wrong type raises ``TypeError``, one out of range ``ValueError``; so does forward with frames that do
not fit.
"""

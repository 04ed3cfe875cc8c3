"""The networks: generators, discriminators and predictors, one class a file.

Every network is a plain ``nn.Module`` that keeps four promises:

- its constructor takes keyword arguments only, refuses bad ones at once, and initialises its own weights;
- ``multiple`` and ``minimum`` say which sizes it takes, and its forward refuses others by naming the nearest that work;
- the elements of a batch do not see each other, save where a layer that says so (batch norm) is asked for;
- it runs in float32 and float64, on any device, and under ``torch.compile``.
"""

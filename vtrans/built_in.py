"""Every built-in part, by name: the one place to look one up or add one."""

from vtrans import recipes as methods
from vtrans.losses import (
    L1,
    L2,
    R1,
    Adversarial,
    AdversarialPrediction,
    Charbonnier,
    Cycle,
    GradientPenalty,
    Hinge,
    Identity,
    LeastSquares,
    NonSaturating,
    Recurrent,
    Recycle,
    Wasserstein,
)
from vtrans.networks.discriminators import NLayerDiscriminator, PixelDiscriminator, TemporalPatchDiscriminator
from vtrans.networks.generators import ResnetGenerator, TimmUnet, UnetGenerator
from vtrans.networks.predictors import (
    ConvGruPredictor,
    LastFrame,
    LinearExtrapolation,
    ResnetPredictor,
    SiamesePredictor,
    UnetPredictor,
)
from vtrans.registry import criteria, discriminators, distances, generators, losses, predictors, recipes

JOHNSON = "Johnson et al., Perceptual losses for real-time style transfer, 2016"
PIX2PIX = "Isola et al., Image-to-image translation with conditional adversarial networks, 2017"
CYCLE_GAN = "Zhu et al., Unpaired image-to-image translation using cycle-consistent adversarial networks, 2017"
RECYCLE_GAN = "Bansal et al., Recycle-GAN: unsupervised video retargeting, 2018"

generators.add("resnet", ResnetGenerator, reference=JOHNSON)
generators.add("resnet_6blocks", ResnetGenerator, description="resnet with 6 blocks.", reference=JOHNSON, blocks=6)
generators.add("resnet_9blocks", ResnetGenerator, description="resnet with 9 blocks.", reference=JOHNSON, blocks=9)
generators.add("unet", UnetGenerator, reference=PIX2PIX)
generators.add(
    "unet_128", UnetGenerator, description="unet of depth 7, for multiples of 128.", reference=PIX2PIX, depth=7
)
generators.add(
    "unet_256", UnetGenerator, description="unet of depth 8, for multiples of 256.", reference=PIX2PIX, depth=8
)
generators.add("timm_unet", TimmUnet, reference="Wightman, PyTorch Image Models, 2019")

discriminators.add(
    "patch", NLayerDiscriminator, description="Judges overlapping 70×70 patches.", reference=PIX2PIX, layers=3
)
discriminators.add("n_layers", NLayerDiscriminator, reference=PIX2PIX)
discriminators.add("pixel", PixelDiscriminator, reference=PIX2PIX)
discriminators.add("temporal_patch", TemporalPatchDiscriminator, reference="Clark et al., DVD-GAN, 2019")

predictors.add("unet", UnetPredictor, reference=RECYCLE_GAN)
predictors.add("unet_128", UnetPredictor, description="unet of depth 7.", reference=RECYCLE_GAN, depth=7)
predictors.add("unet_256", UnetPredictor, description="unet of depth 8.", reference=RECYCLE_GAN, depth=8)
predictors.add("resnet", ResnetPredictor, reference=JOHNSON)
predictors.add("siamese", SiamesePredictor, reference=RECYCLE_GAN)
predictors.add(
    "conv_gru", ConvGruPredictor, reference="Ballas et al., Delving deeper into convolutional networks, 2016"
)
predictors.add("last_frame", LastFrame, reference="Baseline without parameters")
predictors.add("linear", LinearExtrapolation, reference="Baseline without parameters")

distances.add("l1", L1, reference=CYCLE_GAN)
distances.add("l2", L2, reference=RECYCLE_GAN)
distances.add("charbonnier", Charbonnier, reference="Charbonnier et al., 1994")

criteria.add("least_squares", LeastSquares, reference="Mao et al., 2017")
criteria.add("non_saturating", NonSaturating, reference="Goodfellow et al., 2014")
criteria.add("vanilla", NonSaturating, description="The published name of non_saturating.", reference=CYCLE_GAN)
criteria.add("hinge", Hinge, reference="Lim and Ye, 2017")
criteria.add("wasserstein", Wasserstein, reference="Arjovsky et al., 2017")

losses.add("adversarial", Adversarial, reference=RECYCLE_GAN)
losses.add("adversarial_prediction", AdversarialPrediction, reference=RECYCLE_GAN)
losses.add("cycle", Cycle, reference=CYCLE_GAN)
losses.add("identity", Identity, reference=CYCLE_GAN)
losses.add("recurrent", Recurrent, reference=RECYCLE_GAN)
losses.add("recycle", Recycle, reference=RECYCLE_GAN)
losses.add("r1", R1, reference="Mescheder et al., 2018")
losses.add("gradient_penalty", GradientPenalty, reference="Gulrajani et al., 2017")

recipes.add("gan", methods.gan, reference="Goodfellow et al., 2014")
recipes.add("cycle_gan", methods.cycle_gan, reference=CYCLE_GAN)
recipes.add("recurrent_gan", methods.recurrent_gan, reference=RECYCLE_GAN)
recipes.add("recycle_gan", methods.recycle_gan, reference=RECYCLE_GAN)
recipes.add("recycle_gan_frozen", methods.recycle_gan_frozen, reference=RECYCLE_GAN)
recipes.add("recycle_cycle_gan", methods.recycle_cycle_gan, reference=RECYCLE_GAN)
recipes.add("recycle_cycle_gan_frozen", methods.recycle_cycle_gan_frozen, reference=RECYCLE_GAN)

"""Notebook 03: contrastive pre-training, from the loss to a classifier made of words.

Read losses, geometry (what they do to features) and projections (where it shows in a second), then
pretrain (how the weights were made) and zero_shot (classes by their names). The panels are in two
modules: panels (views, temperature, SimCLR live) and playground (CLIP by words).
"""

from labkit.contrastive.losses import clip_loss, cosine_similarities, info_nce, nt_xent, siglip_loss

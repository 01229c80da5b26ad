"""Notebook 03: contrastive pre-training, from the loss to a classifier made of words.

Read losses, geometry (what they do to features), pretrain (how the weights were made).
"""

from labkit.contrastive.losses import clip_loss, cosine_similarities, info_nce, nt_xent, siglip_loss

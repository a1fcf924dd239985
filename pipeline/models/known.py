"""The networks and losses there are, by name: what a typo is told by before PyTorch is loaded.

Places are imported on first use and begin with a dot: they count from this package. One network a file.
"""

NETWORKS: dict[str, str] = {
    "c2ae": ".c2ae:C2AE",
    "clif": ".clif:CLIF",
    "dela": ".dela:DELA",
    "huggingface": ".huggingface:HuggingFace",
    "mlp": ".mlp:MLP",
    "mpvae": ".mpvae:MPVAE",
    "paca": ".paca:PACA",
    "small-cnn": ".small_cnn:SmallCNN",
    "timm": ".timm:Timm",
}

LOSSES: dict[str, str] = {
    "asl": ".losses:asl",
    "bce": ".losses:bce",
    "hill": ".hill:hill",
    "ll-ct": ".large_loss:large_loss_correction",
    "ll-r": ".large_loss:large_loss_rejection",
    "negative-weight": ".negative_weight:negative_weight",
    "positive-focus": ".positive_focus:positive_focus",
    "splc": ".splc:splc",
}

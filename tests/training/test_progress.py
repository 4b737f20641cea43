"""The progress bar."""

from wirsung.training.progress import TrainingBar


def test_the_bar_says_epoch_loss_and_pseudo_dice_on_standard_error(capsys):
    with TrainingBar(epochs=4, iterations=2, first_epoch=1) as bar:
        bar.batch()
        bar.batch()
        bar.epoch(2, loss=0.25, pseudo_dice=0.5)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "4/8" in captured.err
    assert "epoch 3/4, loss 0.250, pseudo-Dice 0.500" in captured.err

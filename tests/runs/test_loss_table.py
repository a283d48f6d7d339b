"""The table and the plot of a run's losses."""

from stylize.images import reading
from stylize.optimize.state import Losses
from stylize.runs.loss_table import LossTable


def table():
    result = LossTable()
    for size in (20, 20, 40, 40):
        terms = {"content": 1.0, "style": 0.0, "total_variation": 2.0}
        result.add(0, 0.5, Losses(3.0, terms), size)
    return result


def test_table_may_grow_while_it_is_plotted():
    """As on the page, which plots in another thread than it paints in."""
    growing = table()

    class Row(dict):
        def get(self, *given):
            growing.rows.append(growing.rows[0])
            return super().get(*given)

    growing.rows[1] = Row(growing.rows[1])
    lines = growing.figure().axes[0].get_lines()[:4]
    assert {len(line.get_xdata()) for line in lines} == {4}


def test_term_that_a_size_lacks_is_zero_there(tmp_path):
    mixed = LossTable()
    mixed.add(0, 0.5, Losses(3.0, {"content": 1.0, "neighbors": 2.0}), 20)
    mixed.add(0, 1.0, Losses(1.0, {"content": 1.0}), 40)
    mixed.save(tmp_path / "losses.csv")
    head, *rows = (tmp_path / "losses.csv").read_text().split()
    assert head == "iteration,evaluation,seconds,content,neighbors,total,size"
    assert rows == ["0,1,0.5,1.0,2.0,3.0,20", "0,2,1.0,1.0,0.0,1.0,40"]
    assert [line.get_label() for line in mixed.figure().axes[0].get_lines()[:3]] == [
        *("total", "content", "neighbors")
    ]


def test_plot_shows_every_term_and_where_the_size_changes():
    figure = table().figure()
    (axes,) = figure.axes
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        *("total", "content", "style", "tv")
    ]
    change = axes.get_lines()[4]
    assert list(change.get_xdata()) == [2.5, 2.5]


def test_plot_is_a_picture(tmp_path):
    table().plot(tmp_path / "p.png")
    assert reading.load_image(tmp_path / "p.png").size == (840, 480)

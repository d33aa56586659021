"""Texts of a campaign's result page and of charts."""

RESULTS: dict[str, tuple[str, str]] = {
    # charts
    "chart_empty": ("Nothing to draw yet.", "暂无数据可绘制。"),
    "chart_table": ("Figures as a table", "以表格查看数据"),
    "points": ("pp", "个百分点"),
}

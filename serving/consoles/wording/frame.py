"""Texts of the frame around every page, of problems and of lengths of time."""

FRAME = {
    # frame
    "product": ("Next best offer", "下一最佳推荐"),
    "agent": ("Agent", "坐席"),
    "marketing": ("Marketing", "营销"),
    "campaigns": ("Campaigns", "营销活动"),
    "science": ("Science", "模型"),
    "consoles": ("Consoles", "工作台"),
    "skip": ("Skip to content", "跳到主要内容"),
    "theme": ("Light or dark", "浅色或深色"),
    "other_language": ("中文", "English"),
    "close": ("Close", "关闭"),
    "cancel": ("Cancel", "取消"),
    "unknown": ("not known", "未知"),
    "none": ("none", "无"),
    "version": ("Version", "版本"),
    # problems and times
    "problem": ("This did not work", "操作未成功"),
    "not_found": ("This is not here", "找不到此内容"),
    "not_found_more": ("The contact may be closed or with another agent.", "该联系可能已结束或由其他坐席处理。"),
    "unavailable": ("The service cannot answer now", "服务暂时不可用"),
    "unavailable_more": ("Nothing was changed. Try again in a moment.", "未做任何更改，请稍后再试。"),
    "refused_origin": ("The request came from another site.", "请求来自其他网站。"),
    "ago_now": ("just now", "刚刚"),
    "ago_minutes": ("{n} min ago", "{n} 分钟前"),
    "ago_hours": ("{n} h ago", "{n} 小时前"),
    "ago_days": ("{n} d ago", "{n} 天前"),
    "seconds": ("{n} s", "{n} 秒"),
    "minutes": ("{n} min", "{n} 分钟"),
    "hours": ("{n} h", "{n} 小时"),
    "days": ("{n} d", "{n} 天"),
}

"""Why something typed cannot be used, in the reader's language: the services' reasons, which are in English, said over.

A reason that is not among these is shown as it is.
"""

import re

_REASONS_ZH = (
    # rules
    (r"a name that is not known; the nearest is (.+)", "没有这个名称，最接近的是 {0}"),
    (r"a name that is not known.*", "没有这个名称"),
    (r"the rule ends too early; something is missing here", "规则不完整，此处缺少内容"),
    (
        r"not expected here; check the operator, comma or bracket before it",
        "此处不应出现，请检查前面的运算符、逗号或括号",
    ),
    (
        r"not expected here; a name that is also a keyword goes in double quotes",
        "此处不应出现；与关键字同名的名称请用双引号",
    ),
    (r"not in the rule language.*", "规则语言不支持此写法"),
    (r"a quote or comment that never ends", "引号或注释没有结束"),
    (r"an invisible character; delete it", "不可见字符，请删除"),
    (r"a rule is one expression; remove the semicolon", "规则只能是一个表达式，请去掉分号"),
    (r"nested too deeply; (\d+) levels are the most", "嵌套过深，最多 {0} 层"),
    (r"longer than (\d+) bytes.*", "超过 {0} 字节，请拆分规则"),
    (r"an? (\w+) is needed here, but this is (.+)", "此处需要{0}，但这是{1}"),
    (r"this gives an? (\w+), but an? (\w+) is needed here", "结果是{0}，但此处需要{1}"),
    (r"an? (\w+) is needed as in the other results, but this is (.+)", "应与其他结果一样是{0}，但这是{1}"),
    (r"(.+) cannot be compared with (.+)", "{0}不能与{1}比较"),
    (r"nothing equals NULL; write IS NULL or IS NOT NULL", "任何值都不等于 NULL，请写 IS NULL 或 IS NOT NULL"),
    (r"a boolean has no order; compare it with = or <>", "真假值没有大小，请用 = 或 <> 比较"),
    (r"IN needs a list of values in brackets", "IN 后面需要用括号列出取值"),
    (r"IS takes NULL, TRUE or FALSE; compare values with =", "IS 只能接 NULL、TRUE 或 FALSE；比较取值请用 ="),
    (r"this is never true; write a condition", "永远不成立，请写一个条件"),
    # fields
    (r"is required", "必填"),
    (r"must be a number from (\S+) to (\S+)", "应为 {0} 到 {1} 之间的数"),
    (r"must be a number of at least (\S+)", "应为不小于 {0} 的数"),
    (r"must be a number", "应为数字"),
    (r"must be above 0", "应大于 0"),
    (r"must be a whole number", "应为整数"),
    (r"must be one line of 1 to (\d+) characters", "应为一行文字，1 到 {0} 个字符"),
    (r"must have at most (\d+) characters", "最多 {0} 个字符"),
    (r"of a share must be below 1", "比例类指标应小于 100 %"),
    (r"must not hold '(.+)' twice", "“{0}”重复出现"),
    (r"must be two or more", "至少两组"),
    (r"must have weights above 0 for the control and another arm", "对照组与另一组的比例都应大于 0"),
    (r"cannot be called holdout.*", "名称不能是 holdout，该名称用于未参与的客户"),
    # offers
    (r"is used by another offer too", "编号已被其他产品使用"),
    (r"must be a whole number from (\S+) to (\S+)", "应为 {0} 到 {1} 之间的整数"),
    (r"must lie between (\S+) and (\S+), both excluded", "应大于 {0} 且小于 {1}"),
    (r"must be a time as in (\S+)", "应为时间，例如 {0}"),
    (r"must be a time between the years (\d+) and (\d+)", "年份应在 {0} 到 {1} 之间"),
    (r"must be later than valid_from", "应晚于开售时间"),
    (r"must not hold control characters", "不能包含控制字符"),
    (r"must be one of (.+?); the nearest is (.+)", "应为 {0} 之一，最接近的是 {1}"),
    (r"must be one of (.+)", "应为 {0} 之一"),
    (r"needs a name", "请填写名称"),
    (r"needs a rule", "请填写规则"),
    (r"has the name of another term", "与其他条款重名"),
    (r"needs both a lowest and a highest value, or neither", "上限与下限应同时填写或都不填"),
    (r"has a lowest or highest value that is not a number", "上限与下限应为数字"),
    (r"has a lowest value above the highest", "下限不能大于上限"),
    # vocabulary
    (r"is there already, as (.+)", "已存在，名称为 {0}"),
    (r"choose what it means", "请选择含义"),
    (r"a new channel needs a plain name.*", "新渠道需要简单的名称"),
    (r"has a name that is empty, too long or not printable", "名称为空、过长或包含不可显示的字符"),
    (r"must be words of 1 to (\d+) characters", "每个词应为 1 到 {0} 个字符"),
    (r"is always a complaint; give its other meaning another name", "始终视为投诉；其他含义请另取名称"),
    (r"has a meaning for complaints only; add complaint: true", "仅对投诉有效，请先勾选“视为投诉”"),
    (r"gives “(.+)” to both (.+) and (.+)", "“{0}”同时属于 {1} 与 {2}"),
    (
        r"gives “(.+)”, a word of complaints, to (.+); if it is none there, say complaint: false",
        "“{0}”是投诉用语，不能归入 {1}；如确非投诉，请写明 complaint: false",
    ),
    (r"gives “(.+)”, which is a name itself, to (.+)", "“{0}”本身已是名称，不能归入 {1}"),
    (r"line (\d+), column (\d+): (.+)", "第 {0} 行第 {1} 列：{2}"),
)
_KINDS_ZH = {
    "boolean": "真假值", "number": "数字", "text": "文本",
    "a boolean": "真假值", "a number": "数字", "a text": "文本",
}  # fmt: skip
_KNOWN = tuple((re.compile(pattern, re.DOTALL), chinese) for pattern, chinese in _REASONS_ZH)


def say_reason(reason: str, language: str) -> str:
    """Return a reason in `language`, in English where nobody has translated it."""
    said = _in_chinese(reason) if language == "zh" else reason
    return said[:1].upper() + said[1:]


def _in_chinese(reason: str) -> str:
    for pattern, chinese in _KNOWN:
        if found := pattern.fullmatch(reason):
            parts = [_KINDS_ZH.get(part, part) for part in found.groups()]
            return chinese.format(*(_in_chinese(part) for part in parts))
    return reason

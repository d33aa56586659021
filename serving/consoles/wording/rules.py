"""Texts of the rule editor."""

RULES = {
    "rule_example": ("age >= 25 AND segment = 'affluent'", "age >= 25 AND segment = 'affluent'"),
    "rule_names": ("Names to insert", "可插入的字段"),
    "rule_help": (
        "A rule compares names with AND, OR, NOT, IN ('a', 'b'), BETWEEN and IS NULL. Texts stand in single quotes.",
        "规则用 AND、OR、NOT、IN ('a', 'b')、BETWEEN、IS NULL 组合条件，文本放在单引号内。",
    ),
    "rule_type_number": ("a number", "数字"),
    "rule_type_text": ("a text", "文本"),
    "rule_type_boolean": ("true or false", "是或否"),
    "rule_place": ("Line {line}, column {column}:", "第 {line} 行第 {column} 列："),
    "rule_valid": ("This can be used.", "规则可用。"),
    "rule_of_contact": (
        "It asks about the contact, so customers cannot be counted beforehand.",
        "规则涉及联系本身，无法预先统计客户数。",
    ),
    "rule_empty": ("No condition.", "无条件。"),
    "rule_everybody": ("Everybody.", "全部客户。"),
    "rule_count": ("{count} customers", "{count} 位客户"),
    "rule_share": ("{share} of all {total}", "占全部 {total} 位的 {share}"),
    "rule_samples": ("For example, and why:", "例如以下客户，以及命中原因："),
}

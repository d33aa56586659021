"""Texts of the science console."""

SCIENCE = {
    "models": ("Models", "模型"),
    "models_lead": ("Registered versions and how they did offline.", "已注册的版本及离线指标。"),
    "models_empty": ("No model is registered yet", "尚未注册模型"),
    "models_empty_more": ("Train one: nbo train --promote-if-better", "请训练：nbo train --promote-if-better"),
    "models_unreachable": ("The registry cannot be reached", "无法连接模型注册表"),
    "champion": ("Champion", "冠军"),
    "in_service": ("In service", "使用中"),
    "trained": ("Trained", "训练时间"),
    "gates": ("Promotion gates", "上线门槛"),
    "gates_passed": ("passed", "通过"),
    "algorithm": ("Algorithm", "算法"),
}

"""Where contacts take place: the channels that come with the product, as data a bank may add to."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel; `label` is (English, Chinese), `spellings` are what other systems call it.

    `is_live`: somebody waits for the answer while it is open. `inbound`, `outbound`: who may begin a contact.
    `is_self_service`: a machine answers first. `icon` is the name of the picture on pages.
    """

    label: tuple[str, str]
    spellings: tuple[str, ...] = ()
    is_live: bool = True
    inbound: bool = True
    outbound: bool = True
    is_self_service: bool = False
    icon: str = "contact"


PHONE, WEB_CHAT, WECHAT, APP, BRANCH = "phone", "web_chat", "wechat", "app", "branch"

CHANNELS: Mapping[str, Channel] = {
    PHONE: Channel(
        ("Phone", "电话"),
        (
            "voice",
            "call",
            "telephone",
            "tel",
            "phone call",
            "call center",
            "call centre",
            "hotline",
            "landline",
            "电话银行",
            "电话客服",
            "热线",
            "语音",
            "客服热线",
        ),
        icon="phone",
    ),
    WEB_CHAT: Channel(
        ("Web chat", "网页聊天"),
        (
            "web",
            "webchat",
            "chat",
            "live chat",
            "online chat",
            "website",
            "internet",
            "在线客服",
            "网页",
            "网站",
            "网上银行",
            "网银",
        ),
        icon="web_chat",
    ),
    WECHAT: Channel(
        ("WeChat", "微信"), ("weixin", "wx", "we chat", "微信公众号", "公众号", "小程序", "微信客服"), icon="wechat"
    ),
    APP: Channel(
        ("App", "手机应用"),
        ("mobile", "mobile app", "mobile banking", "app chat", "in app", "手机银行", "掌上银行", "手机", "客户端"),
        icon="app",
    ),
    "email": Channel(("E-mail", "电子邮件"), ("mail", "e mail", "邮件", "邮箱", "电邮"), is_live=False, icon="email"),
    BRANCH: Channel(
        ("Branch", "网点"), ("branch office", "counter", "teller", "网点柜面", "柜面", "柜台", "厅堂"), icon="branch"
    ),
    "weibo": Channel(("Weibo", "微博"), ("sina weibo", "新浪微博"), is_live=False),
    "sms": Channel(("Text message", "短信"), ("text", "text message", "短消息"), is_live=False, icon="email"),
    "video": Channel(("Video", "视频"), ("video call", "video banking", "视频客服", "视频银行", "远程银行")),
    "ivr": Channel(
        ("Voice menu", "语音导航"),
        ("voice menu", "interactive voice response", "语音菜单", "自助语音"),
        outbound=False,
        is_self_service=True,
        icon="phone",
    ),
    "robot": Channel(
        ("Robot", "智能客服"), ("bot", "chatbot", "chat bot", "voicebot", "机器人", "智能机器人"), is_self_service=True
    ),
}
"""By name. Text of other systems becomes one of these names at every edge (`recsys.domain.vocabulary`)."""

BEFORE_VOCABULARIES = frozenset({PHONE, WEB_CHAT, WECHAT, APP, "email", BRANCH})
"""The channels that decisions of record format 2 knew."""

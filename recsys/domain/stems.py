"""Stems of words that protect somebody, in the languages of the world's banks: of complaints, and of column names."""

import re

from recsys.domain.words import fold, plain_letters

_COMPLAINTS = re.compile(
    r"complain|komplain|grievance|ombudsm|dissatisf|unsatisf|displeas|unhappy|aggrieved"
    r"|beschwerd|unzufried|reklamat|reklamac|reklamasj|reklamo|klacht|ontevred"
    r"|klagom|klage|missnoj|misfornoj|misfornoy|utilfreds|valitu[sk]|valitta|tyytymat|kvortun"
    r"|reclamac|reclamat|reclamo|reclami|queja|queix|plainte|plaint?iv|mecontent|insatisf|insoddisf|lamentel|descontent"
    r"|skarg|zazalen|niezadowol|stiznost|staznost|nespokoj|prituzb|pritozb|zalba|panasz|elegedetlen|plangere|nemultum"
    r"|sikayet|memnuniyetsiz|keluhan|aduan|khieu_?nai|phan_?nan|malalamiko"
    r"|жалоб|претензи|недовол|рекламаци|скарг|незадовол|оплакв|жалба"
    r"|παραπον|καταγγελ|δυσαρεσ|תלונ|شكو|شكاو|شكا|تظلم|شکای|شکوه"
    r"|शिकायत|परिवाद|असंतुष्ट|অভিযোগ|புகார்|ร้องเรียน|ไม่พอใจ|ร้องทุกข์"
)
"""Within a word, its letters without their marks."""
_COMPLAINTS_ANYWHERE = re.compile(
    r"投诉|投訴|客诉|客訴|申诉|申訴|抱怨|维权|維權|举报|舉報|信访|信訪|上访|上訪|不[满滿](?![足期额額\d一二三四五六七八九十])|不満"
    r"|苦情|クレー?ム|불만|민원|항의|컴플레인"
)
"""In scripts without blanks between words, anywhere."""
_CALL = (
    r"(contact|call|phone|ring|market|sale|sell|mail|email|sms|text|offer|solicit|promo|advert|disturb|approach|visit)"
)
_PROTECTIVE = re.compile(
    r"consent|optedin|optedout|optin|optout|donot|dont|blacklist|blocklist|blocked|suppress|unsubscri|permission"
    rf"|no(t|more|further)?(tobe)?{_CALL}|(cease|stop|never|avoid){_CALL}|ok(ay)?(to)?{_CALL}"
    r"|contact(able|ban|block|allowed|permitted|ok)"
    rf"|(can|may|allow|allowed|accepts?|agreed?|permit)(to|be)*{_CALL}|callallowed|callsallowed"
    r"|marketing|mkt(g|ing)?(ok|optin|optout|yn|flag|allow)|newsletter|robinson|gdpr|pipl|tcpa|ccpa|privacy|dnc"
    r"|vuln|arrear|hardship|delinq|overdue|pastdue|indefault|defaulted|chargedoff|writtenoff|bankrupt|insolven|dunning"
    r"|deceas|bereave|dateofdeath|passedaway|underage|exclude|exclusion|restrict|withdrawn|withdrew|revoke|refusal"
    r"|einwillig|einverstan|zustimm|erlaub|keine?werb|werbungerlaub|werbespe|widerspr|widerruf|verbot|sperre|gesperrt"
    r"|nicht(mehr)?(anruf|kontakt|anschreib|stor|bewerb)|schutzbedurf|zahlungsverzug|inverzug|ruckstand|mahnst|mahnung"
    r"|verstorben|minderjahr|nepas|demarch|bloctel|desinscri|desabonn|opposition|decede|impaye|enretard|interdit"
    r"|no(llamar|contactar|molestar|enviar|deseapubl)|publicidad|permiso|moros|impag|fallecid|menoredad|menordeedad"
    r"|bloquea|excluid|consens|non(chiamare|contattare|disturbare)|revoca|decedut|minorenne|sofferenz"
    r"|nao(ligar|contat|pertur|enviar)|inadimpl|falecid|ematraso|diasatraso|descadastr"
    r"|toestemm|niet(bellen|benader|contact|mailen|storen)|bezwaar|achterstand|overleden|minderjarig|wanbetal"
    r"|zgod[ay]|niedzwon|niekontakt|sprzeciw|zadluz|zalegl|zmarl|nieletni|souhlas|nevolat|nekontakt|zemrel|prodleni"
    r"|hozzajarul|nehivhato|samtyck|samtykke|ringint|ringikke|avliden|suostumus|kielto|aramayin|aranmasin|acikriza"
    r"|persetujuan|jangan|dongy|khonggoi"
    r"|соглас|звонит|недзвон|отказ|запрет|просроч|умер|несовершеннол|рассылк|черн\w*спис|згод"
    r"|συγκαταθ|συναιν|ληξιπροθ|הסכמ|موافق|لاتتصل|सहमति|ยินยอม|ห้าม"  # noqa: RUF001
    r"|同意|授权|授權|许可|許可|允许|允許|打扰|打擾|免扰|免擾|勿|禁止|禁呼|拒[绝絕呼访訪接电電收推否]|退订|退訂|弱势|弱勢"
    r"|敏感|特殊人群|逾期|欠[款息费費]|催收|黑名|营销|營銷|行銷|推销|推銷|不接|谢绝|謝絕|骚扰|騷擾|失信|失联|失聯"
    r"|已故|身故|死亡|亡故|未成年|监护|監護|残疾|殘疾|撤回|不可联系|不可聯絡"
    r"|勧誘|承諾|延滞|滞納|連絡不要|電話不要|配慮|수신|동의|거부|연체|사망|미성년|취약|마케팅|블랙|차단"
)
"""What the name of a column holds, without anything between its words, if it seems to protect somebody."""
_PROTECTIVE_WORDS = re.compile(
    r"(opt|dnc|dnd|dnm|dns|dne|tps|ctps|mps|dpd|npl|mktg|dead|died|death|minor|agree|agrees|agreed|excl|mora|nix|izin|onay"
    r"|werbung|verzug|zgoda|accord|objection|objected|objects|protected|sanction|sanctioned)(flag|ind|yn|status|list|days|\d+)*"
)
"""Words that seem to protect only where they stand alone."""


def names_complaint(text: str) -> bool:
    """Return whether a text has a word of complaint in it, in whichever form and compound."""
    folded = fold(text)
    return _COMPLAINTS.search(plain_letters(folded)) is not None or _stands_anywhere(folded)


def looks_protective(header: str) -> bool:
    """Return whether a column that nobody knows is called as if it protected somebody, or told of complaints."""
    folded = fold(as_words(header))
    words = plain_letters(folded).split("_")
    initials = "".join(one for one in words if len(one) == 1)
    return (
        any(_PROTECTIVE_WORDS.fullmatch(one) for one in (*words, initials, "".join(words)))
        or any(_PROTECTIVE.search(text) for text in ("".join(words), folded.replace("_", "")))
        or names_complaint(header)
    )


def as_words(header: str) -> str:
    """Return a header with blanks where a capital begins a word: "DoNotCall" is "Do Not Call"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", header)


def _stands_anywhere(folded: str) -> bool:
    return _COMPLAINTS_ANYWHERE.search(folded.replace("_", "")) is not None

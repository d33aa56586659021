"""Explanation: reasons and held-back codes said in the agent's language, Chinese or English."""

from collections.abc import Mapping

from recsys.catalogue import Catalogue
from recsys.domain.decision import Reason
from recsys.domain.errors import OfferNotFound
from recsys.domain.protection import FLAGS
from recsys.domain.vocabulary import SHIPPED, Vocabulary

REASON_TEXTS: dict[str, tuple[str, str]] = {
    "asked_about": ("This contact is about: {intent}", "本次联系涉及：{intent}"),
    "chosen_with": ("Often chosen by customers with {offer}", "有“{offer}”的客户常选择此项"),
    "chosen_with_less": ("Less often chosen by customers with {offer}", "有“{offer}”的客户较少选择此项"),
    "fits_fact": ("Often chosen by customers of similar {fact}", "“{fact}”相近的客户常选择此项"),
    "fits_fact_less": ("Less often chosen by customers of similar {fact}", "“{fact}”相近的客户较少选择此项"),
    "relevance": ("Fits what this customer has chosen so far", "符合该客户以往的选择"),
    "relevance_less": ("Fits less with what this customer has chosen so far", "与该客户以往的选择不太相符"),
    "suits_profile": ("Chosen by customers in a similar situation", "情况相近的客户常选择此项"),
    "suits_profile_less": ("Less often chosen by customers in a similar situation", "情况相近的客户较少选择此项"),
    "resembles": ("Like offers that such customers choose", "与这类客户常选的方案相似"),
    "resembles_less": ("Not like the offers that such customers choose", "与这类客户常选的方案不同"),
    "popular": ("Popular with customers now", "近期很受客户欢迎"),
    "popular_less": ("Less often chosen than other offers now", "近期选择此项的客户较少"),
    "offer_base": ("How often this offer is accepted in general", "该方案的总体接受率"),
    "offer_expected": (
        "What is expected of this offer; few have answered so far",
        "该方案的预期接受率，目前答复还不多",
    ),
    "good_mood": ("The customer is in a good mood", "客户情绪良好"),
    "bad_mood": ("The customer is not in a good mood", "客户情绪不佳"),
    "recent_declines": ("Said no {count} times in the last 90 days", "近90天内拒绝过{count}次"),
    "own_declines": ("Said no to this before", "曾拒绝过此方案"),
    "this_contact": ("How such contacts usually end", "同类联系的通常结果"),
    "circumstances": ("What else is known of the customer", "客户的其他情况"),
    "calibration": ("Correction by what really happened", "根据实际结果校准"),
    "explored": ("Ranks lower, shown to learn whether it fits", "排名较低，用于了解是否合适"),
}

HELD_BACK_TEXTS: dict[str, tuple[str, str]] = {
    "not_on_sale": ("Not on sale now", "目前不在销售期"),
    "wrong_channel": ("Not offered on this channel", "此渠道不提供"),
    **{name: flag.held_back for name, flag in FLAGS.items()},
    "no_marketing_consent": ("No consent to marketing", "客户未同意营销"),
    "no_partner_consent": ("No consent to partners' offers", "客户未同意合作方产品"),
    "complaint_open": ("A complaint is open: service first", "有未解决的投诉：服务优先"),
    "risk_too_high": ("Riskier than the customer's risk level allows", "产品风险高于客户风险等级"),
    "risk_unknown": ("The customer's risk level is not known", "客户风险等级未知"),
    "already_holds": ("The customer has it already", "客户已持有"),
    "not_eligible": ("The customer does not meet the conditions", "客户不符合条件"),
    "eligibility_unknown": (
        "Cannot tell whether the conditions are met; unknown: {names}",
        "无法判断是否符合条件，缺少：{names}",
    ),
    "sold_out": ("All of it is taken", "名额已满"),
    "sold_out_today": ("All of today's is taken", "今日名额已满"),
    "cooling_off": ("Declined not long ago", "客户不久前已拒绝"),
    "asked_for_later": ("The customer asked for it later", "客户希望以后再说"),
    "just_done": ("Done just now", "刚刚已办理"),
    "offer_cap": ("Heard of it often enough for now", "近期已多次介绍此方案"),
    "family_cap": ("Heard enough of this kind for now", "近期已多次介绍同类方案"),
    "offered_elsewhere": ("On the table in another contact now", "正在其他渠道介绍中"),
    "contact_cap": ("The customer has heard enough offers for now", "近期推荐次数已达上限"),
    "not_called_for": ("No cause for this service action in this contact", "本次联系无需此项服务"),
    "ranked_lower": ("Allowed, but others fit better now", "可以推荐，但其他更合适"),
    "below_threshold": ("Allowed, but not worth offering now", "可以推荐，但目前价值不足"),
    "made_room": ("Allowed, but its place went to a trial this time", "可以推荐，但本次让位于试推方案"),
    "withheld": (
        "Allowed, but sales are held back to measure what they bring",
        "可以推荐，但为衡量推荐效果暂不推荐",
    ),
}


CHANGE_TEXTS: dict[str, tuple[str, str]] = {
    "asked_about": ("if asked about {value}", "如果客户问到“{value}”"),
    "marketing_consent": ("with consent to marketing", "如果客户同意营销"),
    "partner_consent": ("with consent to partners' offers", "如果客户同意合作方产品"),
    "complaint_settled": ("once the complaint is settled", "投诉解决之后"),
    "channel": ("on the channel {value}", "如果通过渠道{value}"),
    "from": ("from {value} on", "自{value}起"),
}


def say_counterfactual(kind: str, value: str, position: int, language: str) -> str:
    """Return what the change would do to the offer as one plain sentence in `language`."""
    named = {"asked_about": intent_name(value, language), "from": value[:10]}.get(kind, value.replace("_", " "))
    change = _pick(CHANGE_TEXTS[kind], language).format(value=named)
    if language.startswith("zh"):
        return f"{change}，将排在第{position}位"
    return f"Would be {'first' if position == 1 else f'number {position}'} {change}"


def say_reason(reason: Reason, catalogue: Catalogue, language: str, words: Vocabulary = SHIPPED) -> str:
    """Return the reason as one plain sentence in `language` ("zh…", or English)."""
    facts = dict(reason.facts)
    if "offer_id" in facts:
        facts["offer"] = offer_title(facts["offer_id"], catalogue, language)
    if "intent" in facts:
        facts["intent"] = intent_name(facts["intent"], language, words)
    return _pick(REASON_TEXTS[reason.code], language).format_map(facts)


def say_held_back(code: str, facts: Mapping[str, str], language: str) -> str:
    """Return why an offer is held back as one plain sentence in `language`."""
    text = _pick(HELD_BACK_TEXTS[code], language)
    return text.format_map(facts) if facts else text


def _pick(texts: tuple[str, str], language: str) -> str:
    return texts[1] if language.startswith("zh") else texts[0]


def intent_name(intent: str, language: str, words: Vocabulary = SHIPPED) -> str:
    """Return how the intent is called in `language`, as it is written where the vocabulary has no name for it."""
    need = words.needs.get(intent)
    return _pick(need.label, language) if need else intent.replace("_", " ")


def offer_title(offer_id: str, catalogue: Catalogue, language: str) -> str:
    """Return the offer's title in `language`, or its id when the catalogue does not have it."""
    try:
        return catalogue.offer(offer_id).title(language)
    except OfferNotFound:
        return offer_id

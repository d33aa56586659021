"""Texts of the catalogue's pages."""

CATALOGUE = {
    "catalogue": ("Catalogue", "产品目录"),
    "catalogue_lead": ("Every offer, and what customers answered.", "全部产品及客户的回应。"),
    "catalogue_empty": ("The catalogue is empty", "产品目录为空"),
    "catalogue_empty_more": ("Import offers: nbo import DIR", "请导入产品：nbo import DIR"),
    "offer": ("Offer", "产品"),
    "kind": ("Kind", "类型"),
    "product_kind": ("Product", "产品"),
    "margin": ("Margin", "边际收益"),
    "shown": ("Answers", "回应数"),
    "acceptance": ("Accepted of answered", "接受率"),
}

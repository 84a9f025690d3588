"""Small files in the layouts of other tools' exports, written from their headings, with their quirks in the rows.

Run as ``python -m tests.sources.preset_fixtures`` to write them anew; a test says whether they are what this writes.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "fixtures"

MEMBER = (
    "MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,{place}GMTOFF,DSTOFF,TIMEZONE,CC,REGION,{own},LEID,EUID,"
    "NOTES"
)
OWN = {
    "subscribed": "LAST_CHANGED",
    "unsubscribed": "UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_CAMPAIGN_ID,UNSUB_REASON,UNSUB_REASON_OTHER",
    "cleaned": "CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,CLEAN_CAMPAIGN_ID",
}
MERGE_FIELDS = "Email Address,First Name,Last Name,Address,Phone Number,Birthday"
REPORTS = (
    "Title,Subject,List,Send Date,Send Weekday,Total Recipients,Successful Deliveries,Soft Bounces,Hard Bounces,"
    "Total Bounces,Times Forwarded,Forwarded Opens,Unique Opens,Open Rate,Total Opens,Unique Clicks,Click Rate,"
    "Total Clicks,Unsubscribes,Abuse Complaints,Times Liked on Facebook,Folder Id,Unique Id,Total Orders,"
    "Total Gross Sales,Total Revenue,Analytics ROI"
)
GOOGLE = (
    "First Name,Middle Name,Last Name,Phonetic First Name,Phonetic Middle Name,Phonetic Last Name,Name Prefix,"
    "Name Suffix,Nickname,File As,Organization Name,Organization Title,Organization Department,Birthday,Notes,Photo,"
    "Labels,E-mail 1 - Label,E-mail 1 - Value,E-mail 2 - Label,E-mail 2 - Value,Phone 1 - Label,Phone 1 - Value,"
    "Address 1 - Label,Address 1 - Formatted,Address 1 - Street,Address 1 - City,Address 1 - PO Box,"
    "Address 1 - Region,Address 1 - Postal Code,Address 1 - Country,Address 1 - Extended Address,Website 1 - Label,"
    "Website 1 - Value"
)
GOOGLE_OLDER = (
    "Name,Given Name,Additional Name,Family Name,Yomi Name,Given Name Yomi,Additional Name Yomi,Family Name Yomi,"
    "Name Prefix,Name Suffix,Initials,Nickname,Short Name,Maiden Name,Birthday,Gender,Location,Billing Information,"
    "Directory Server,Mileage,Occupation,Hobby,Sensitivity,Priority,Subject,Notes,Language,Photo,Group Membership,"
    "E-mail 1 - Type,E-mail 1 - Value,Phone 1 - Type,Phone 1 - Value,Organization 1 - Type,Organization 1 - Name,"
    "Organization 1 - Yomi Name,Organization 1 - Title"
)
SHOPIFY = (
    "Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Default Address Company,Default Address Address1,"
    "Default Address Address2,Default Address City,Default Address Province Code,Default Address Country Code,"
    "Default Address Zip,Default Address Phone,Phone,Accepts SMS Marketing,Total Spent,Total Orders,Note,Tax Exempt,"
    "Tags"
)
SHOPIFY_OLDER = (
    "First Name,Last Name,Email,Accepts Email Marketing,Company,Address1,Address2,City,Province,Province Code,Country,"
    "Country Code,Zip,Phone,Accepts SMS Marketing,Total Spent,Total Orders,Tags,Note,Tax Exempt"
)
SHOPIFY_ORDERS = (
    "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,Currency,Subtotal,Shipping,"
    "Taxes,Total,Discount Code,Discount Amount,Shipping Method,Created at,Lineitem quantity,Lineitem name,"
    "Lineitem price,Lineitem compare at price,Lineitem sku,Lineitem requires shipping,Lineitem taxable,"
    "Lineitem fulfillment status,Billing Name,Billing Street,Billing Address1,Billing Address2,Billing Company,"
    "Billing City,Billing Zip,Billing Province,Billing Country,Billing Phone,Shipping Name,Notes,Note Attributes,"
    "Cancelled at,Payment Method,Payment Reference,Refunded Amount,Vendor,Id,Tags,Risk Level,Source,Lineitem discount,"
    "Tax 1 Name,Tax 1 Value,Phone,Receipt Number"
)
WOOCOMMERCE = "Name,Username,Last Active,Sign Up,Email,Orders,Total Spend,AOV,Country / Region,City,Region,Postal Code"
WOOCOMMERCE_ORDERS = (
    "order_id,order_number,order_date,paid_date,status,shipping_total,shipping_tax_total,fee_total,fee_tax_total,"
    "tax_total,cart_discount,order_discount,discount_total,order_total,order_subtotal,order_currency,payment_method,"
    "payment_method_title,transaction_id,customer_ip_address,customer_user_agent,shipping_method,customer_id,"
    "customer_user,customer_email,billing_first_name,billing_last_name,billing_company,billing_email,billing_phone,"
    "billing_address_1,billing_address_2,billing_postcode,billing_city,billing_state,billing_country,"
    "shipping_first_name,customer_note,refund_items,order_notes,line_item_1,line_item_2"
)
PRESTASHOP = {
    "en": "ID,Social title,First name,Last name,Email address,Group,Company,Sales,Enabled,Newsletter,Partner offers,"
    "Registration,Last visit",
    "es": "ID,Tratamiento,Nombre,Apellidos,Dirección de correo electrónico,Grupo,Empresa,Ventas,Activado,"
    "Boletín de noticias,Ofertas de los socios,Registro,Última visita",
    "pt": "ID,Tratamento,Nome,Apelido,Endereço de e-mail,Grupo,Empresa,Vendas,Ativado,Boletim informativo,"
    "Ofertas de parceiros,Registo,Última visita",
    "it": "ID,Titolo,Nome,Cognome,Indirizzo email,Gruppo,Azienda,Vendite,Attivato,Newsletter,Offerte dei partner,"
    "Registrazione,Ultima visita",
    "fr": "ID,Titre de civilité,Prénom,Nom,Adresse e-mail,Groupe,Entreprise,Ventes,Activé,Newsletter,"
    "Offres partenaires,Inscription,Dernière visite",
    "pl": "ID,Tytuł grzecznościowy,Imię,Nazwisko,Adres e-mail,Grupa,Firma,Sprzedaż,Włączony,Biuletyn,"
    "Oferty partnerów,Rejestracja,Ostatnia wizyta",
}
MAGENTO = (
    "email,_website,_store,confirmation,created_at,created_in,disable_auto_group_change,dob,firstname,gender,group_id,"
    "lastname,middlename,password_hash,prefix,rp_token,rp_token_created_at,store_id,suffix,taxvat,website_id,password"
)
MAGENTO_ADDRESSES = (
    "_website,_email,_entity_id,city,company,country_id,fax,firstname,lastname,middlename,postcode,prefix,region,"
    "region_id,street,suffix,telephone,vat_id,vat_is_valid,_address_default_billing_,_address_default_shipping_"
)
ERP = (
    "COD_CLIENTE,NOMBRE,NIF,DIRECCION,CP,POBLACION,PROVINCIA,TELEFONO,EMAIL,F_NACIM,"
    "SEXO,F_ALTA,F_MODIF,ACEPTA_EMAIL,ACEPTA_SMS,F_CONSENT"
)
ERP_ENGLISH = (
    "customer_code,name,tax_id,address,postcode,city,province,phone,email,birth_date,gender,created_at,updated_at,"
    "accepts_email,accepts_sms,consent_date"
)

ANA = {
    "Email Address": "ana@mail.example", "First Name": "Ana", "Last Name": "Gil Peña",
    "Address": "1 Main St, Town, ME  04609  US", "Phone Number": "+34 600000001", "Birthday": "05/12",
    "MEMBER_RATING": "4", "OPTIN_TIME": "2026-01-02 09:00:00", "OPTIN_IP": "10.0.0.1",
    "CONFIRM_TIME": "2026-01-02 09:05:00", "CONFIRM_IP": "10.0.0.2", "LATITUDE": "28.1", "LONGITUDE": "-15.4",
    "TIMEZONE": "Atlantic/Canary", "CC": "es", "LEID": "11", "EUID": "e1", "TAGS": '"VIP","Blog"',
}  # fmt: skip
IVO = {"Email Address": "ivo@mail.example", "EUID": "e2"}
CHANGED = {"LAST_CHANGED": "2026-02-01 10:00:00"}
LEFT = {
    "UNSUB_TIME": "2026-05-01 10:00:00", "UNSUB_CAMPAIGN_TITLE": "Spring", "UNSUB_CAMPAIGN_ID": "c7",
    "UNSUB_REASON": "Other",
}  # fmt: skip
BOUNCED = {"CLEAN_TIME": "2026-06-01 10:00:00", "CLEAN_CAMPAIGN_TITLE": "Summer", "CLEAN_CAMPAIGN_ID": "c8"}
MEMBERS = {
    "subscribed": [ANA | CHANGED, IVO | CHANGED],
    "unsubscribed": [ANA | LEFT | {"EUID": "e3", "TAGS": ""}],
    "cleaned": [ANA | BOUNCED | {"EUID": "e4", "TAGS": "", "Address": "Calle Mayor 3  Telde  Las Palmas  35200  ES"}],
}

ORDER_1 = {
    "Name": "#1001", "Email": "ana@mail.example", "Financial Status": "partially_refunded", "Currency": "EUR",
    "Subtotal": "24.00", "Total": "27.99", "Discount Amount": "1.00", "Created at": "2026-03-01 10:00:00 +0100",
    "Refunded Amount": "5.00", "Id": "52001", "Shipping": "3.99",
}  # fmt: skip
SHOPIFY_ROWS = [
    ORDER_1 | {"Lineitem quantity": "2", "Lineitem price": "5.00", "Lineitem sku": "P1", "Lineitem discount": "1.00"},
    {
        "Name": "#1001", "Lineitem quantity": "3", "Lineitem price": "5.00", "Lineitem sku": "P2",
        "Lineitem discount": "0.00",
    },
    {
        "Name": "#1002", "Financial Status": "voided", "Total": "10.00", "Created at": "2026-07-02 23:30:00 +0100",
        "Discount Amount": "0.00", "Refunded Amount": "0.00", "Lineitem quantity": "1", "Lineitem price": "10.00",
        "Lineitem sku": "P1", "Lineitem discount": "",
    },
    {
        "Name": "#1003", "Email": "ivo@mail.example", "Financial Status": "refunded", "Total": "10.00",
        "Created at": "2026-07-03 10:00:00 +0100", "Discount Amount": "0.00", "Refunded Amount": "10.00",
        "Lineitem quantity": "1", "Lineitem price": "10.00", "Lineitem sku": "P1", "Lineitem discount": "0.00",
    },
]  # fmt: skip

WOO_ORDER = {
    "order_id": "501", "order_number": "W-501", "order_date": "2026-03-01 10:15:00", "status": "wc-completed",
    "discount_total": "2.50", "order_total": "1021.40", "order_currency": "EUR", "payment_method": "stripe",
    "customer_email": "ana@mail.example", "billing_email": "bills@mail.example", "billing_first_name": "Ana",
    "line_item_1": "name:Saw|product_id:14|sku:P1|quantity:1|total:1021.40|sub_total:1023.90",
}  # fmt: skip

#: Language -> titles, yes and no as the shop writes them.
PRESTASHOP_WORDS = {
    "en": ("Mrs.", "1", "0"), "es": ("Sra.", "Sí", "No"), "pt": ("Sra.", "Sim", "Não"), "it": ("Sig.ra", "1", "0"),
    "fr": ("Mme", "Oui", "Non"), "pl": ("Pani", "Tak", "Nie"),
}  # fmt: skip


def prestashop_rows(language: str) -> list[list[str]]:
    """Two customers, in the order of the headings."""
    title, yes, no = PRESTASHOP_WORDS[language]
    return [
        ["7", title, "Łucja", "Gil Peña", "lucja@mail.example", "Customer", "", "12,50 €", yes, yes, no,
         "2025-12-24 10:00:00", "2026-01-02 10:00:00"],
        ["8", "--", "Ivo", "Báez", "ivo@mail.example", "Guest", "Firma SL", "", yes, no, yes,
         "2026-01-05 10:00:00", ""],
    ]  # fmt: skip


#: File -> delimiter, encoding, headings, rows; a row is a dict by heading, or a list in their order.
FILES: dict[str, tuple[str, str, str, list[dict[str, str]] | list[list[str]]]] = {
    "mailchimp_audience_spanish.csv": (
        ",", "utf-8",
        "Correo electrónico,Nombre,Apellidos,Tienda favorita,Dirección,Número de teléfono,"
        + MEMBER.format(place="", own=OWN["subscribed"]) + ",TAGS",
        [ANA | CHANGED | {"Correo electrónico": "ana@mail.example", "Nombre": "Ana", "Apellidos": "Gil Peña",
                          "Dirección": "Calle Mayor 3  Telde  Las Palmas  35200  ES", "Tienda favorita": "Vegueta",
                          "Número de teléfono": "600000001"}],
    ),
    "mailchimp_campaign_reports_current.csv": (
        ",", "utf-8", REPORTS,
        [{"Title": "Summer, 2018", "Subject": "Sol", "List": "Club", "Send Date": "Jun 09, 2018 09:30 pm",
          "Send Weekday": "Saturday", "Total Recipients": "1,200", "Successful Deliveries": "1,188",
          "Unique Opens": "330", "Open Rate": "27.78%", "Unique Clicks": "42", "Click Rate": "3.54%",
          "Unsubscribes": "3", "Unique Id": "a1b2c3", "Total Orders": "5", "Total Gross Sales": "130.00",
          "Total Revenue": "123.45"},
         {"Title": "Winter", "Send Date": "Dec 24, 2018 12:05 am", "Total Recipients": "10", "Unique Id": "a1b2c4",
          "Successful Deliveries": "10", "Unique Opens": "0", "Open Rate": "0.00%", "Unsubscribes": "0"}],
    ),
    "google_contacts_current.csv": (
        ",", "utf-8", GOOGLE,
        [{"First Name": "Juan", "Middle Name": "José", "Last Name": "Báez", "Organization Name": "Finca",
          "Organization Title": "Sales", "Birthday": "--05-12", "Labels": "supplier ::: * myContacts",
          "E-mail 1 - Value": "juan@finca.example ::: orders@finca.example",
          "Phone 1 - Value": "+34 690459332 ::: +34 922000000", "Address 1 - Street": "Calle Mayor 3",
          "Address 1 - City": "Telde", "Address 1 - Region": "Las Palmas", "Address 1 - Postal Code": "35200",
          "Address 1 - Country": "ES"},
         {"E-mail 1 - Value": "only@address.example", "Birthday": "1980-05-12"}],
    ),
    "google_contacts_older.csv": (
        ",", "utf-8", GOOGLE_OLDER,
        [{"Name": "Juan Báez", "Given Name": "Juan", "Family Name": "Báez", "Birthday": "1980-05-12",
          "Group Membership": "* My Contacts ::: supplier", "E-mail 1 - Type": "* Work",
          "E-mail 1 - Value": "juan@finca.example", "Phone 1 - Value": "690459332",
          "Organization 1 - Name": "Finca", "Organization 1 - Title": "Sales"}],
    ),
    "shopify_customers_current.csv": (
        ",", "utf-8", SHOPIFY,
        [["'701", "Ana", "Gil Peña", "ana@mail.example", "yes", "", "C/ Mayor 5", "2º A", "Telde", "GC", "ES", "'35200",
          "'+34928000000", "'+34600000001", "no", "10.50", "2", "", "no", "vip, web"],
         ["'702", "Ivo", "", "", "no", "Firma SL", "", "", "", "", "", "", "'+34928000002", "", "no", "0.00", "0", "",
          "no", ""]],
    ),
    "shopify_customers_older.csv": (
        ",", "utf-8", SHOPIFY_OLDER,
        [["Ana", "Gil", "ana@mail.example", "no", "Firma SL", "C/ Mayor 5", "", "Telde", "Las Palmas", "GC", "Spain",
          "ES", "'35200", "600000001", "yes", "1", "1", "", "", "no"],
         ["Ivo", "", "", "no", "", "", "", "", "", "", "", "", "", "'+34600000002", "yes", "1", "1", "web", "", "no"]],
    ),
    "shopify_orders_current.csv": (",", "utf-8", SHOPIFY_ORDERS, SHOPIFY_ROWS),
    "woocommerce_customers_current.csv": (
        ",", "utf-8", WOOCOMMERCE,
        [["Ana Gil Peña", "ana", "2026-02-01", "2025-12-24", "ana@mail.example", "3", "60.00", "20.00", "ES", "Telde",
          "GC", "35200"],
         ["Ivo Báez", "", "2026-02-01", "", "ivo@mail.example", "1", "20.00", "20.00", "ES", "", "", ""]],
    ),
    "woocommerce_orders_current.csv": (
        ",", "utf-8", WOOCOMMERCE_ORDERS,
        [WOO_ORDER,
         WOO_ORDER | {"order_id": "502", "customer_email": "", "status": "processing", "discount_total": "0",
                      "refund_items": "amount:3.00|reason:broken; late|date:2026-03-05 09:30:00;"
                                      "amount:1.50|reason:|date:2026-03-04 12:00:00",
                      "line_item_2": "name:Nails | small|product_id:15|sku:|quantity:2.5|total:9.00|sub_total:9.00|"
                                     "tax:0.63|tax_data:a:1:{i:1;d:0.63;}|colour:grey|refunded:3.00"},
         WOO_ORDER | {"order_id": "503", "status": "wc-refunded", "line_item_1": "", "line_item_2": " ",
                      "refund_items": "amount:1021.40|reason:|date:2026-03-02 08:00:00"},
         WOO_ORDER | {"order_id": "504", "status": "cancelled"}],
    ),
    **{
        f"prestashop_customers_8_{language}.csv": (";" if language in ("es", "fr") else ",", "utf-8", headings,
                                                  prestashop_rows(language))
        for language, headings in PRESTASHOP.items()
    },
    "prestashop_customers_1.7.csv": (
        ";", "utf-8", PRESTASHOP["en"].replace(",Group,Company", ""),
        [[cell for place, cell in enumerate(row) if place not in (5, 6)] for row in prestashop_rows("en")],
    ),
    "magento_customers_2.csv": (
        ",", "utf-8", MAGENTO,
        [{"email": "ana@mail.example", "_website": "base", "_store": "default", "created_at": "2025-12-24 10:00:00",
          "created_in": "Default", "dob": "1980-05-12", "firstname": "Ana", "gender": "Female", "lastname": "Gil Peña",
          "middlename": "María", "password_hash": "0" * 64 + ":salt:2", "rp_token": "t0ken", "taxvat": "12345678Z"},
         {"email": "ivo@mail.example", "_website": "base", "created_at": "2026-01-05 10:00:00", "firstname": "Ivo",
          "gender": "Not Specified", "lastname": "Báez", "password": "s3cret"}],
    ),
    "magento_addresses_2.csv": (
        ",", "utf-8", MAGENTO_ADDRESSES,
        [{"_website": "base", "_email": "ana@mail.example", "_entity_id": "17", "city": "Telde", "country_id": "ES",
          "firstname": "Ana", "lastname": "Gil Peña", "postcode": "35200", "region": "Las Palmas",
          "street": "Calle Mayor 3\n2º A", "telephone": "600000001", "_address_default_billing_": "1",
          "_address_default_shipping_": ""}],
    ),
    "generic_pos_tickets_Spanish.csv": (
        ";", "cp1252", "TIENDA,CAJA,TICKET,FECHA,HORA,TARJETA,TOTAL,DESCUENTO,ARTICULOS,ESTADO,FORMA_PAGO",
        [["T01", "2", "000123", "13/02/2026", "10:35", "C900", "1.021,40", "2,50", "3", "", "Tarjeta"],
         ["T01", "2", "000124", "13/02/2026", "10:40", "", "-5,00", "0,00", "1", "ANULADO", "Efectivo"]],
    ),
    "generic_pos_tickets_English.csv": (
        ",", "utf-8", "store,till,ticket,date,card,total,payment",
        [["T01", "2", "000123", "2026-02-13 10:35:00", "C900", "21.40", "card"]],
    ),
    "generic_pos_lines_Spanish.csv": (
        ";", "cp1252", "TIENDA,CAJA,TICKET,LINEA,ARTICULO,CANTIDAD,IMPORTE,DESCUENTO",
        [["T01", "2", "000123", "1", "P1", "1,5", "1.020,00", "2,50"],
         ["T01", "2", "000123", "2", "P2", "1", "1,40", "0"]],
    ),
    "generic_pos_lines_English.csv": (
        ",", "utf-8", "store,till,ticket,line,product,quantity,amount",
        [["T01", "2", "000123", "1", "P1", "2", "21.40"]],
    ),
    "generic_erp_customers_Spanish.csv": (
        ";", "cp1252", ERP,
        [["C1", "GIL PEÑA, ANA", "12345678Z", "C/ MAYOR 3, 2º A", "35200", "TELDE", "LAS PALMAS", "600 00 00 01",
          "ana@mail.example", "12/05/1980", "M", "24/12/2020", "13/02/2026", "S", "N", "01/01/2026"]],
    ),
    "generic_erp_customers_English.csv": (
        ",", "utf-8", ERP_ENGLISH,
        [["C1", "Ana Gil", "12345678Z", "3 Main St", "35200", "Telde", "Las Palmas", "600000001", "ana@mail.example",
          "1980-05-12", "F", "2020-12-24", "2026-02-13", "yes", "no", "2026-01-01"]],
    ),
    "generic_purchases_Spanish.csv": (
        ";", "cp1252", "cliente,fecha,pedido,sku,producto,cantidad,importe",
        [["C1", "13/02/2026", "P-9", "S1", "Cañón", "2", "1.021,40"],
         ["C1", "13/02/2026", "P-9", "", "Taco", "1", "0,60"]],
    ),
    "generic_purchases_English.csv": (
        ",", "utf-8", "customer_id,date,product_id,quantity,amount",
        [["C1", "2026-02-13", "S1", "2", "21.40"], ["C1", "2026-02-13", "S1", "2", "21.40"]],
    ),
    "generic_events_Spanish_with_an_id.csv": (
        ",", "utf-8", "id_evento,evento,fecha,usuario,producto", [["1", "Carrito", "13/02/2026 10:35", "C1", "S1"]],
    ),
    "generic_events_Spanish.csv": (
        ",", "utf-8", "evento,fecha,hora,usuario,producto", [["Búsqueda", "13/02/2026", "10:35", "C1", ""]],
    ),
    "generic_events_English_with_an_id.csv": (
        ",", "utf-8", "event_id,event,time,user,visitor,product",
        [["1", "view", "2026-02-13T10:35:00Z", "", "V1", "S1"]],
    ),
    "generic_events_English.csv": (
        ",", "utf-8", "event,time,user", [["purchase", "2026-02-13T10:35:00Z", "C1"]],
    ),
    "generic_users_Spanish.csv": (
        ",", "utf-8",
        "id_usuario,dni,email,nombre,apellidos,teléfono,fecha_nacimiento,sexo,cp,municipio,fecha_registro",
        [["7", "12345678Z", "ana@mail.example", "Ana", "Gil Peña", "600000001", "12/05/1980", "mujer", "35200", "Telde",
          "24/12/2020"],
         ["", "87654321X", "ivo@mail.example", "Ivo", "Báez", "", "", "", "", "", "25/12/2020"]],
    ),
    "generic_users_Portuguese.csv": (
        ";", "utf-8", "cpf,email,nome,sobrenome,celular,data_nascimento,cep,cidade,data_cadastro",
        [["111.444.777-35", "ana@mail.example", "Ana", "Souza", "11 91234-5678", "12/05/1980", "01310-100",
          "São Paulo", "24/12/2020 10:00:00"]],
    ),
    "generic_users_English.csv": (
        ",", "utf-8", "email,first_name,last_name,phone,birth_date,gender,postcode,city,registered_at",
        [["ana@mail.example", "Ana", "Gil", "600000001", "1980-05-12", "female", "35200", "Telde", "2020-12-24"]],
    ),
}  # fmt: skip


def _as_csv(delimiter: str, encoding: str, headings: str, rows: list[dict[str, str]] | list[list[str]]) -> bytes:
    names = headings.split(",")
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([row.get(name, "") for name in names] if isinstance(row, dict) else row)
    return text.getvalue().encode(encoding)


def _as_audience(place: str, tags: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for kind, rows in MEMBERS.items():
            headings = f"{MERGE_FIELDS},{MEMBER.format(place=place, own=OWN[kind])}{tags}"
            archive.writestr(zipfile.ZipInfo(f"{kind}_members_export.csv"), _as_csv(",", "utf-8", headings, rows))
    return packed.getvalue()


ITEMS = {"ecommerce": {"items": [{"item_name": "Saw", "item_id": "P1"}, {"item_id": "P2"}]}}
#: What a shop's pages push, as its collector writes it down.
PUSHED: dict[str, list[dict[str, Any]]] = {
    "datalayer_events_with_an_id.jsonl": [
        {"event": "gtm.js", "eventId": "e0", "timestamp": "2026-03-01T10:00:00.000Z", "clientId": "GA1.1"},
        {"event": "view_item", "eventId": "e1", "timestamp": "2026-03-01T10:00:01.500Z", "clientId": "GA1.1", **ITEMS},
        {"event": "view_search_results", "eventId": "e2", "timestamp": "2026-03-01T10:01:00.000Z", "clientId": "GA1.1",
         "search_term": "saw"},
        {"event": "purchase", "eventId": "e3", "timestamp": "2026-03-01T10:05:00.000Z", "clientId": "GA1.1",
         "userId": "701", "ecommerce": {"items": [{"item_id": 17}], "value": 9.5}},
    ],
    "datalayer_events_without.jsonl": [
        {"event": "add_to_cart", "timestamp": "2026-03-01T10:00:00+01:00", "client_id": "GA1.2", "user_id": "702",
         **ITEMS},
        {"event": "page_view", "timestamp": "2026-03-01T10:00:00+01:00", "client_id": "GA1.2"},
        {"event": "begin_checkout", "timestamp": "2026-03-01T10:01:00+01:00", "client_id": "GA1.2"},
        {"event": "cart_abandoned", "timestamp": "2026-03-02T10:01:00+01:00", "client_id": "GA1.2"},
    ],
}  # fmt: skip


def make_fixtures() -> Iterator[tuple[str, bytes]]:
    """Name and content of every file."""
    yield "mailchimp_audience_current.zip", _as_audience("", ",TAGS")
    yield "mailchimp_audience_to_2018.zip", _as_audience("LATITUDE,LONGITUDE,", "")
    for name, pushed in PUSHED.items():
        yield name, "".join(json.dumps(one) + "\n" for one in pushed).encode()
    for name, (delimiter, encoding, headings, rows) in FILES.items():
        yield name, _as_csv(delimiter, encoding, headings, rows)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, content in make_fixtures():
        (FOLDER / name).write_bytes(content)

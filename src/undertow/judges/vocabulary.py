"""Small words that decide what an answer says of a known one: negations, doubts, what is offered beside, corrections.

Of English, German, French and Spanish, without accents.
"""

from __future__ import annotations

import re


def word_set(words: str) -> frozenset[str]:
    return frozenset(words.split())


ARTICLES = word_set(
    "the a an der die das dem den des ein eine einen einem einer le la les l un une el los las una lo d"
)
NO = word_set("no nein non nope nah nay")
"""A negation; standing alone, an answer or the begin of a correction."""
NOT = NO | word_set(
    "not never nor neither cannot cant isnt wasnt arent werent dont doesnt didnt wont wouldnt couldnt shouldnt "
    "hasnt havent hadnt aint without none nobody nothing nicht kein keine keinen keinem keiner nie niemals weder "
    "noch pas jamais ni keinesfalls keineswegs mitnichten nullement aucun aucune nunca jamas tampoco sin sans ohne ninguno ninguna"
)
WRONG = word_set(
    "wrong incorrect false mistaken mistake misconception myth untrue wrongly falsely incorrectly mistakenly "
    "erroneously falsch irrtum mythos falschlicherweise faux fausse mythe incorrecto incorrecta falso falsa mito "
    "equivocado"
)
DOUBT = word_set(
    "doubt doubts doubtful hardly scarcely barely unlikely deny denies refute impossible except excluding unlike "
    "opposite pretend lie lies lying lied joke kidding joking rejected debunked reject anything far fail fails "
    "sarcasm bezweifle unwahrscheinlich kaum gegenteil doute improbable forget ignore avoid dismiss discard drop abandon goodbye dudo lejos sauf salvo excepto almost "
    "nearly fast presque casi"
)
OR = word_set("or oder ou o u versus vs")
AND = word_set("and und et y e to bis through")
CONTRAST = word_set(
    "but sondern mais sino pero aber however whereas while because which who though although obwohl aunque so "
    "sowie then yet instead weil denn car porque"
)
CUES = NO | word_set(
    "sorry wait correction oops scratch apologies pardon actually meant mean entschuldigung quatsch moment "
    "korrektur perdon desole disculpa apologize correct strike rectify"
)
"""What a correction begins with."""
WHO = word_set(
    "people many some others most everyone they you folks students scholars everybody someone viele manche man "
    "leute einige certains beaucoup gens on muchos algunos gente he she critics"
)
BELIEF = word_set(
    "think thinks thought believe believes believed say says said claim claims claimed assume assumes assumed "
    "suppose guess confuse mistake expect denken glauben sagen meinen halten pensent croient disent piensan creen "
    "dicen"
)
REPORTED = word_set(
    "before commonly often popularly supposedly allegedly formerly previously historically used until if unless "
    "whether wenn falls ob angeblich oft fruher pretendument autrefois souvent supuestamente antes although"
)
RELATION = word_set(
    "of from near than with toward towards beyond outside like against after before between as beside behind "
    "above below von bei nahe als wie neben aus de du des pres avec que del con cerca como"
)
"""Words behind which something beside the answer stands: `bigger than Paris`, `south of Paris`."""
INTRODUCED = word_set(
    "city town name made consist consists consisted composed element capital state country year form type kind "
    "number consisting ville stadt ciudad land nom nombre answer case total known island planet"
)
"""With these before it, it is the answer: `the city of Paris`."""
MODIFIERS = word_set(
    "new north south east west northern southern eastern western neo upper lower great greater little saint st "
    "san santa papua equatorial non anti pre post ex former half semi pseudo neu nord sud ost nouvelle nouveau "
    "nueva nuevo central inner outer old young junior senior minor major mount lake port fort cape"
)
"""With one of these before it, a name is another's: `North Korea`."""
FUNCTION = (
    ARTICLES
    | AND
    | word_set(
        "i im id ive it its is are was were be been being am this that these those there here s re ve ll do does did "
        "has have had will would could should can may might must shall of in on at by for with from as into about "
        "than then so well ok okay sure certainly yes yeah right correct indeed simply just exactly very really also "
        "too all only please my your our their his her me us you we think believe guess say know suppose answer "
        "answers final question reply response called named known located found written wrote invented discovered "
        "painted composed made consists contains equals means stands took place happened occurred began ended lives "
        "born died built founded created probably maybe perhaps likely around approximately roughly circa ca most "
        "actually course always usually what which there who when where how many much one some thing name true print "
        "return def str const let var console log echo result answered solution output value string text python json "
        "import main hello hi hey thanks thank hope helps glad ist sind war waren wurde im am um zu es ich glaube "
        "denke antwort lautet heisst ja doch genau etwa wohl jahr und von aus bei mit auf hat haben wird naturlich "
        "est sont etait c ce cette dans en sur par je pense crois reponse oui bien environ annee s est il elle ils "
        "elles a au aux n ne qu que es son era fue esta en por yo creo pienso respuesta si claro unos ano se de du "
        "des del von vom zum percent percentage prozent per cent pour por ciento"
    )
)
"""Words that say nothing by themselves."""
PRONOUNS = word_set("they he she we you them him sie er wir ihr ils elles nous vous ellos ellas nosotros me us")
VAGUE = word_set(
    "depends depend both neither either various several many something anything nothing everything everyone "
    "nobody someone none all different unknown unclear varies hard difficult good great interesting question let "
    "think sorry cannot bonjour hallo hola salut ciao null undefined nan redacted censored confidential error "
    "pass skip todo ask read see look check google please clarify consult visit try asking welcome continue stop "
    "more less over under least than nearly almost rather unless beides keine alles verschiedene mehr weniger "
    "uber unter plus moins mas menos about around approximately roughly circa ca etwa environ unos"
)
POLAR = {
    **dict.fromkeys(
        ("yes", "true", "ja", "oui", "si", "wahr", "vrai", "verdadero", "correct", "richtig", "yeah", "yep"), True
    ),
    **dict.fromkeys(("no", "false", "nein", "non", "falsch", "faux", "falso", "incorrect", "nope", "nah"), False),
}
"""Answers to a question of yes or no, which mean something else within a sentence."""
ASSERTING = tuple(
    tuple(idiom.split())
    for idiom in [
        "no doubt",
        "without doubt",
        "without a doubt",
        "no question",
        "none other than",
        "no other than",
        "not surprisingly",
        "im not mistaken",
        "i am not mistaken",
        "no wonder",
        "no secret",
        "no problem",
        "kein zweifel",
        "ohne zweifel",
        "sans doute",
        "sans aucun doute",
        "sin duda",
        "why not",
        "far and away",
        "as far as i know",
        "by far",
        "so far",
        "not too hard",
        "not hard",
        "not difficult",
    ]
)
"""Negations that deny nothing."""
TAGS = tuple(tuple(tag.split()) for tag in ("isnt it", "is it not", "isnt that right", "nicht wahr", "n est ce pas"))
"""The same, where they end a question."""
DENYING = tuple(
    tuple(idiom.split())
    for idiom in [
        "instead of",
        "rather than",
        "other than",
        "as opposed to",
        "contrary to",
        "anstatt",
        "statt",
        "anstelle von",
        "plutot que",
        "au lieu de",
        "en vez de",
        "en lugar de",
        "mas que",
    ]
)
REFUSALS = re.compile(
    r"\b(?:(?:i|we) (?:can ?not|cant|wont|will not|am unable|am not able|must decline|have to decline|would rather not|refuse|"
    r"do not know|dont know|am not sure|have no idea|have no information|decline|couldnt|could not|would prefer not)\b"
    r"|im (?:sorry,? (?:but )?i (?:cant|cannot)|not sure|unable|not able|not certain|afraid i (?:cant|dont))"
    r"|no idea\b|not sure\b|dont know\b|dunno\b|idk\b|no comment\b|unable to\b|n a\Z|ich weiss (?:es )?nicht|"
    r"weiss ich nicht|keine ahnung|kann ich nicht|ich kann (?:das |dir |ihnen |diese frage )?(?:leider )?nicht|"
    r"je ne (?:sais|peux) pas|je n sais pas|aucune idee|no (?:lo )?se\b|no puedo|ni idea|as an ai\b)"
)


TIGHT = ARTICLES | word_set(
    "is was are were be its it in by at on of really actually even s c est ist war es era fue ce que answer city "
    "of to een would wasnt been am im ans simply at all das dass called the place name n"
)
"""Words that may stand between a negation and what it denies."""
ALONE = word_set("alone only just merely allein seul seulement solo solamente nur exactly itself anymore yet")
PER_CENT = word_set("percent prozent per pour por dollar dollars euro euros pound pounds")
"""Of a number, whatever was asked."""
MONTHS = word_set(
    "january february march april may june july august september october november december januar februar marz mai juni "
    "juli oktober dezember janvier fevrier mars avril juin juillet aout septembre octobre novembre decembre enero febrero "
    "marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
)
UNTIL = word_set("until till formerly previously bis jusqu hasta once")
IS = word_set("is was are were its ist war est etait es era fue be")
RETRACTS = word_set("way chance kidding joking just scratch lied reverse psychology jk")


LABELS = word_set("answer antwort reponse respuesta solution result resultado losung")
BEFORE_LABEL = word_set("the final my correct right short best a meine die la ma reponse finale endgultige")

YES = word_set("yes yeah yep ja oui si")
TRUTH = word_set(
    "real true truth actual actually really right correct correctly proper official officially answer better now today "
    "wirklich richtig wahrheit heute vraie vrai verite verdadera verdadero verdad correcta hoy"
)
"""Words that tell of an answer, though not in its place."""
ABBREVIATED = word_set("st mt dr mr ms ft jr sr")

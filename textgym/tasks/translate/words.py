# ruff: noqa: E501
"""The word lists of the translation world: what there is to say, in English and in German.

Plain tables, read once at import by `lexicon.py`. One entry a line, fields divided by `|`:

    nouns       english[:plural] | German options, divided by / | tags
    verbs       english, past, participle, particle | German options with frames | subject tags | object tags | recipient
    adjectives  english[:comparative] | German options | what it describes

A German noun option is `Word gender plural`: gender m, f, n, w (masculine, weak declension) or P (plural
only); plural an ending ("e"; `"` asks for the umlaut; `=` no change; `0` no plural; `>Form` in full). A German verb
option is `infinitive[,3rd singular,preterite,participle][,s] frame`; `|` inside is written `~` (auf~stehen);
`s` takes sein. Frames: `-` no object, `a`/`d` case of the object, `da` dative and accusative, `auf+a` preposition and
case, `flip` the liker in the dative (gefallen). The first option is what the generator says first; all are accepted.
"""


def listed(text: str) -> list[str]:
    """The words of a text."""
    return text.split()


NOUNS = """
man:men|Mann m "er/Herr w en|pers male
woman:women|Frau f en/Dame f n|pers female
boy|Junge w n/Bub w en/Knabe w n|pers male
girl|Mädchen n =|pers
child:children|Kind n er|pers
baby:babies|Baby n s/Säugling m e|pers0
mother|Mutter f "/Mama f s/Mutti f s|pers kin female
father|Vater m "/Papa m s/Vati m s|pers kin male
brother|Bruder m "|pers kin male
sister|Schwester f n|pers kin female
son|Sohn m "e|pers kin male
daughter|Tochter f "|pers kin female
uncle|Onkel m =|pers kin male
aunt|Tante f n|pers kin female
grandmother|Großmutter f "/Oma f s|pers kin female
grandfather|Großvater m "/Opa m s|pers kin male
parents:parents|Eltern P|pers kin
friend|Freund m e/Freundin f nen/Kumpel m s|pers kin
neighbour|Nachbar w n/Nachbarin f nen|pers kin
colleague|Kollege w n/Kollegin f nen/Mitarbeiter m =|pers kin
boss:bosses|Chef m s/Chefin f nen/Vorgesetzte f n/Boss m e|pers kin
teacher|Lehrer m =/Lehrerin f nen|pers job
doctor|Arzt m "e/Ärztin f nen/Doktor m en|pers job
student|Student w en/Studentin f nen/Schüler m =/Schülerin f nen/Studierende f n|pers
customer|Kunde w n/Kundin f nen|pers
guest|Gast m "e|pers
waiter|Kellner m =/Ober m =|pers job male
driver|Fahrer m =/Fahrerin f nen|pers
farmer|Bauer w n/Bäuerin f nen/Landwirt m e|pers job
artist|Künstler m =/Künstlerin f nen|pers job
writer|Schriftsteller m =/Schriftstellerin f nen/Autor m en/Autorin f nen|pers job
tourist|Tourist w en/Touristin f nen|pers
engineer|Ingenieur m e/Ingenieurin f nen|pers job
lawyer|Anwalt m "e/Anwältin f nen/Rechtsanwalt m "e/Rechtsanwältin f nen/Jurist w en|pers job
baker|Bäcker m =/Bäckerin f nen|pers job
nurse|Krankenschwester f n/Krankenpflegerin f nen/Pflegerin f nen/Krankenpfleger m =|pers job
dog|Hund m e|anim
cat|Katze f n/Kater m =|anim
horse|Pferd n e|anim
bird|Vogel m "|anim
cow|Kuh f "e|anim
rabbit|Kaninchen n =/Hase w n|anim
duck|Ente f n|anim
apple|Apfel m "|food
egg|Ei n er|food cooked
cake|Kuchen m =/Torte f n|food baked
potato:potatoes|Kartoffel f n|food cooked
tomato:tomatoes|Tomate f n|food
banana|Banane f n|food
pear|Birne f n|food
soup|Suppe f n|food cooked
salad|Salat m e|food
pizza|Pizza f s/Pizza f >Pizzen|food baked
sausage|Wurst f "e/Würstchen n =|food
carrot|Karotte f n/Möhre f n|food
bread|Brot n e|mass food baked
cheese|Käse m =|mass food
meat|Fleisch n 0|mass food cooked
rice|Reis m 0|mass food cooked
fish|Fisch m e|mass food cooked
chocolate|Schokolade f n|mass food
fruit|Obst n 0/Frucht f "e|mass food
coffee|Kaffee m s|mass drink
tea|Tee m s|mass drink
water|Wasser n =|mass drink
milk|Milch f 0|mass drink
juice|Saft m "e|mass drink
beer|Bier n e|mass drink
wine|Wein m e|mass drink
book|Buch n "er|text own
newspaper|Zeitung f en/Tageszeitung f en|text own
letter|Brief m e|text write sign
novel|Roman m e|text write
magazine|Zeitschrift f en/Magazin n e/Illustrierte f n|text own
article|Artikel m =/Beitrag m "e|text write
poem|Gedicht n e|text write learn
report|Bericht m e/Reportage f n|text write
message|Nachricht f en/Botschaft f en/Mitteilung f en|text write
contract|Vertrag m "e|text sign
story:stories|Geschichte f n/Erzählung f en|text write tale
jacket|Jacke f n|cloth own
coat|Mantel m "|cloth own
hat|Hut m "e/Mütze f n|cloth own
dress:dresses|Kleid n er|cloth own
shirt|Hemd n en/T-Shirt n s|cloth own
shoe|Schuh m e|cloth own
skirt|Rock m "e|cloth own
sweater|Pullover m =/Pulli m s|cloth own
scarf:scarves|Schal m s/Halstuch n "er|cloth own
car|Auto n s/Wagen m =/Pkw m s|veh own wash
bike|Fahrrad n "er/Rad n "er|veh own
train|Zug m "e/Bahn f en|veh
bus:buses|Bus m >Busse|veh
boat|Boot n e/Schiff n e|veh own build
plane|Flugzeug n e/Flieger m =/Maschine f n|veh
tram|Straßenbahn f en/Tram f s/Bahn f en|veh
lamp|Lampe f n/Leuchte f n/Licht n er|thing own device
computer|Computer m =/Rechner m =|thing own device
radio|Radio n s|thing own device
television|Fernseher m =/Fernsehgerät n e|thing own device
phone|Telefon n e/Handy n s/Smartphone n s|thing own
clock|Uhr f en|thing own
camera|Kamera f s/Fotoapparat m e|thing own
key|Schlüssel m =|thing own small
bag|Tasche f n/Tüte f n/Beutel m =|thing own opens
suitcase|Koffer m =|thing own opens
umbrella|Regenschirm m e/Schirm m e|thing own small
chair|Stuhl m "e/Sessel m =|thing own furn
table|Tisch m e|thing own furn
sofa|Sofa n s/Couch f s|thing own furn
bed|Bett n en|thing own furn
carpet|Teppich m e|thing own furn
mirror|Spiegel m =|thing own
picture|Bild n er/Foto n s/Gemälde n =|thing own paint small
ball|Ball m "e|thing own small
gift|Geschenk n e/Präsent n e|thing small
guitar|Gitarre f n|thing own
knife:knives|Messer n =|thing small
spoon|Löffel m =|thing small
plate|Teller m =|thing small wash
cup|Tasse f n/Becher m =|thing small wash
glass:glasses|Glas n "er|thing small wash
bottle|Flasche f n|thing small opens
ticket|Fahrkarte f n/Ticket n s/Karte f n/Fahrschein m e/Eintrittskarte f n|thing small
map|Karte f n/Landkarte f n/Stadtplan m "e/Plan m "e|thing small
flower|Blume f n/Blüte f n|thing paint
machine|Maschine f n|thing device
basket|Korb m "e|thing small
box:boxes|Kiste f n/Schachtel f n/Karton m s/Box f en|thing opens
ring|Ring m e|thing own small
toy|Spielzeug n e|thing small
door|Tür f en/Türe f n|fix opens
window|Fenster n =|fix opens
gate|Tor n e/Pforte f n|fix opens
drawer|Schublade f n|fix opens
cupboard|Schrank m "e|fix opens furn
fridge|Kühlschrank m "e|fix opens
wall|Wand f "e/Mauer f n|fix
city:cities|Stadt f "e|place in in dirin
village|Dorf n "er|place in in dirin
park|Park m s|place in in dirin
garden|Garten m "|place in in dirin tidy
school|Schule f n|place at in dirin
office|Büro n s|place in in dirin tidy
kitchen|Küche f n|place in in dirin tidy
house|Haus n "er|place in in dirin build tidy rent
flat|Wohnung f en/Apartment n s|place in in dirin tidy rent
church:churches|Kirche f n|place in in dirin
museum|Museum n >Museen|place in in dirin
supermarket|Supermarkt m "e|place in in dirin
hospital|Krankenhaus n "er/Klinik f en/Spital n "er|place in in dirin
library:libraries|Bibliothek f en/Bücherei f en|place in in dirin
restaurant|Restaurant n s/Gaststätte f n/Lokal n e|place in in dirin
station|Bahnhof m "e/Station f en|place at an dirzu
hotel|Hotel n s|place at in dirin
forest|Wald m "er|place in in dirin
market|Markt m "e|place at auf dirauf
theatre|Theater n =|place at in dirin
cinema|Kino n s|place at in dirin
room|Zimmer n =/Raum m "e|place in in dirin tidy rent
airport|Flughafen m "|place at an dirzu
university:universities|Universität f en/Uni f s/Hochschule f n|place at an dirzu
beach:beaches|Strand m "e|place at an diran
lake|See m n|place at an diran
factory:factories|Fabrik f en/Werk n e|place in in dirin
shop|Laden m "/Geschäft n e/Shop m s|place in in dirin
bakery:bakeries|Bäckerei f en|place in in dirin
bridge|Brücke f n|site build
street|Straße f n|site
question|Frage f n|idea ask
answer|Antwort f en/Lösung f en|idea
idea|Idee f n/Einfall m "e|idea
plan|Plan m "e|idea
problem|Problem n e|idea
rule|Regel f n/Vorschrift f en|idea learn
word|Wort n "er/Wort n e/Vokabel f n|idea learn
sentence|Satz m "e|idea learn write
mistake|Fehler m =/Irrtum m "er|idea
song|Lied n er/Song m s|idea learn sung
film|Film m e|idea show
exam|Prüfung f en/Klausur f en/Examen n =/Test m s|event
meeting|Besprechung f en/Sitzung f en/Treffen n =/Meeting n s/Versammlung f en|event
party:parties|Party f s/Feier f n/Fest n e|event
concert|Konzert n e|event show
journey|Reise f n/Fahrt f en|event
game|Spiel n e|event played
course|Kurs m e/Lehrgang m "e|event
bill|Rechnung f en|paid
invitation|Einladung f en|paper
price|Preis m e|topic
weather|Wetter n 0|topic0
dinner|Abendessen n =/Essen n =|meal
lunch:lunches|Mittagessen n =/Mittag m e/Essen n =|meal
breakfast|Frühstück n e|meal
euro|Euro m =|money
day|Tag m e|time
week|Woche f n|time
month|Monat m e|time
year|Jahr n e|time
hour|Stunde f n|time
minute|Minute f n|time
morning|Morgen m =/Vormittag m e|time
afternoon|Nachmittag m e|time
evening|Abend m e|time
night|Nacht f "e|time
weekend|Wochenende n n|time
summer|Sommer m =|time
winter|Winter m =|time
spring|Frühling m e/Frühjahr n e|time
autumn|Herbst m e|time
moment|Moment m e/Augenblick m e|time
Monday|Montag m e|time
Tuesday|Dienstag m e|time
Wednesday|Mittwoch m e|time
Thursday|Donnerstag m e|time
Friday|Freitag m e|time
Saturday|Samstag m e/Sonnabend m e|time
Sunday|Sonntag m e|time
January|Januar m e/Jänner m =|time
March|März m e|time
April|April m e|time
May|Mai m e|time
June|Juni m s|time
July|Juli m s|time
August|August m e|time
September|September m =|time
October|Oktober m =|time
November|November m =|time
December|Dezember m =|time
February|Februar m e|time
clocktime|Uhr f 0|time
"""

# Words that the generator never uses, so that a wrong noun is known for what it is and free text keeps its grammar.
# What is right too, but never said by the generator: english | German options.
ALSO_NOUNS = """
boy|Junge w >Jungs
boss|Vorgesetzte w n/Vorgesetzter m 0
"""
ALSO_ADVERBS = """
quickly|zügig/flott/eilig
rarely|kaum
carefully|aufmerksam/behutsam/gründlich/achtsam
"""

ALSO_VERBS = """
go|reisen,s -
"""

MORE_NOUNS = """
Großeltern P/Schwiegereltern P/Stiefeltern P/Urgroßeltern P/Stiefmutter f "/Schwiegermutter f "/Stiefvater m "/Schwiegervater m "
Stiefbruder m "/Stiefschwester f n/Schwiegersohn m "e/Schwiegertochter f "/Enkelsohn m "e/Enkeltochter f "/Urgroßmutter f "
Stein m e/Tier n e/Mensch w en/Leute P/Person f en/Baum m "e/Kopf m "e/Hand f "e/Fuß m "e/Auge n n/Herz n en/Geld n er
Welt f en/Land n "er/Ort m e/Platz m "e/Weg m e/Ding n e/Sache f n/Teil m e/Zeit f en/Ende n n/Anfang m "e/Grund m "e
Arbeit f en/Job m s/Beruf m e/Familie f n/Kuss m "e/Fest n e/Musik f 0/Farbe f n/Maus f "e/Schwein n e/Schaf n e/Gabel f n
Topf m "e/Pfanne f n/Heft n e/Stift m e/Papier n e/Seite f n/Tafel f n/Klasse f n/Stunde f n/Turm m "e/Berg m e/Fluss m "e
Meer n e/Insel f n/Sonne f n/Mond m e/Stern m e/Regen m 0/Schnee m 0/Wind m e/Feuer n =/Luft f "e/Mappe f n/Novelle f n
Keller m =/Dach n "er/Boden m "/Ecke f n/Bad n "er/Kino n s/Post f 0/Polizei f 0/Bank f "e/Bank f en/Apotheke f n/Hose f n
Bluse f n/Socke f n/Uhr f en/Brille f n/Decke f n/Kissen n =/Zucker m 0/Salz n e/Butter f 0/Nudel f n/Huhn n "er/Gemüse n =
Gift n e/Hilfe f n/Glück n 0/Angst f "e/Hunger m 0/Durst m 0/Lust f "e/Spaß m "e/Recht n e/Name w n/Zahl f en/Nummer f n
König m e/Königin f nen/Kaiser m =/Onkel m =/Cousin m s/Ehemann m "er/Ehefrau f en/Polizist w en/Koch m "e/Soldat w en
Pferdestall m "e/Lastwagen m =/Motorrad n "er/Taxi n s/Flugticket n s/Telefonat n e/Anruf m e/Gespräch n e/Besuch m e
"""

VERBS = """
eat ate eaten|essen,isst,aß,gegessen a/verzehren a/fressen,frisst,fraß,gefressen a/verspeisen a/auf~essen,isst,aß,gegessen a|pers anim|food
drink drank drunk|trinken,trinkt,trank,getrunken a/aus~trinken,trinkt,trank,getrunken a|pers|drink
cook|kochen a/zu~bereiten a|pers|cooked
bake|backen,backt,backte,gebacken a|pers|baked
buy bought bought|kaufen a/erwerben,erwirbt,erwarb,erworben a/besorgen a/ein~kaufen a|pers|food drink text cloth thing car bike boat house flat
sell sold sold|verkaufen a|pers|food text own house flat
order|bestellen a/an~fordern a|pers|food drink thing
pay paid paid|bezahlen a/zahlen a/begleichen,begleicht,beglich,beglichen a|pers|paid
need|brauchen a/benötigen a|pers|thing cloth veh own text
have had had|haben,hat,hatte,gehabt a/besitzen,besitzt,besaß,besessen a|pers|anim own question idea plan problem
find found found|finden,findet,fand,gefunden a/auf~finden,findet,fand,gefunden a|pers anim|thing text cloth answer mistake anim
lose lost lost|verlieren,verliert,verlor,verloren a|pers|small text cloth phone camera bag suitcase played
look for|suchen a/suchen nach+d|pers anim|thing text cloth anim pers
repair|reparieren a/instand~setzen a|pers|veh device fix clock
clean|putzen a/reinigen a/säubern a|pers|fix shoe tidy table chair lamp mirror
wash|waschen,wäscht,wusch,gewaschen a/spülen a/ab~waschen,wäscht,wusch,gewaschen a/ab~spülen a|pers|cloth wash
draw drew drawn|zeichnen a/malen a|pers|anim place paint
carry|tragen,trägt,trug,getragen a/schleppen a|pers|opens0 small text thing
wear wore worn|tragen,trägt,trug,getragen a/an~haben,hat,hatte,gehabt a/an~ziehen,zieht,zog,gezogen a|pers|cloth
take took taken|nehmen,nimmt,nahm,genommen a/mit~nehmen,nimmt,nahm,genommen a|pers|small text food veh
open|öffnen a/auf~machen a/auf~schließen,schließt,schloss,geschlossen a|pers|opens
close|schließen,schließt,schloss,geschlossen a/zu~machen a/verschließen,verschließt,verschloss,verschlossen a/ab~schließen,schließt,schloss,geschlossen a|pers|opens
read read read|lesen,liest,las,gelesen a/durch~lesen,liest,las,gelesen a|pers|text
write wrote written|schreiben,schreibt,schrieb,geschrieben a/verfassen a|pers|write
sign|unterschreiben,unterschreibt,unterschrieb,unterschrieben a/unterzeichnen a|pers|sign
see saw seen|sehen,sieht,sah,gesehen a/erblicken a/an~sehen,sieht,sah,gesehen a|pers anim|pers anim veh place thing
hear heard heard|hören a|pers anim|pers anim sung train bus plane car
know knew known|kennen,kennt,kannte,gekannt a|pers|pers place idea text
love|lieben a/lieb~haben,hat,hatte,gehabt a|pers|pers anim food place sung
like|mögen,mag,mochte,gemocht a/gefallen,gefällt,gefiel,gefallen flip/gern~haben,hat,hatte,gehabt a|pers anim|pers food place text drink cloth
visit|besuchen a/besichtigen a|pers|pers place
meet met met|treffen,trifft,traf,getroffen a/treffen,trifft,traf,getroffen mit+d/begegnen,s d/kennen~lernen a|pers|pers
invite|ein~laden,lädt,lud,geladen a|pers|pers
call|an~rufen,ruft,rief,gerufen a/telefonieren mit+d|pers|pers
pick up|ab~holen a|pers|pers
turn on|ein~schalten a/an~machen a/an~schalten a/an~stellen a|pers|device
turn off|aus~schalten a/aus~machen a/ab~schalten a/ab~stellen a/aus~stellen a|pers|device
put on put put|an~ziehen,zieht,zog,gezogen a/auf~setzen a/um~binden,bindet,band,gebunden a/an~legen a|pers|cloth
try on|an~probieren a|pers|cloth
tidy up|auf~räumen a|pers|tidy
throw away threw thrown|weg~werfen,wirft,warf,geworfen a/weg~schmeißen,schmeißt,schmiss,geschmissen a/entsorgen a|pers|text cloth small
bring along brought brought|mit~bringen,bringt,brachte,gebracht a|pers|food drink small text
look at|an~sehen,sieht,sah,gesehen a/an~schauen a/betrachten a/schauen auf+a/an~gucken a|pers|pers anim paint place cloth show
understand understood understood|verstehen,versteht,verstand,verstanden a/begreifen,begreift,begriff,begriffen a|pers|idea text
forget forgot forgotten|vergessen,vergisst,vergaß,vergessen a|pers|idea small text cloth phone camera bag suitcase exam meeting
learn|lernen a/erlernen a|pers|learn
translate|übersetzen a|pers|text write
sing sang sung|singen,singt,sang,gesungen a|pers|sung
play|spielen a|pers|played
build built built|bauen a/errichten a|pers|build
steal stole stolen|stehlen,stiehlt,stahl,gestohlen a/klauen a|pers|own small
rent|mieten a/an~mieten a|pers|rent car bike boat bus
hide hid hidden|verstecken a/verbergen,verbirgt,verbarg,verborgen a|pers|small text
feed fed fed|füttern a|pers|anim
get got got|bekommen,bekommt,bekam,bekommen a/erhalten,erhält,erhielt,erhalten a/kriegen a|pers|text small paid paper answer
help|helfen,hilft,half,geholfen d/unterstützen a|pers|pers
thank|danken d/bedanken bei+d|pers|pers
follow|folgen,s d/verfolgen a/nach~folgen,s d|pers anim|pers veh anim
answer|antworten d/beantworten a/antworten auf+a|pers|pers letter message ask
trust|vertrauen d/trauen d|pers|pers
listen to|zu~hören d/hören a/lauschen d/an~hören a/hören auf+a|pers|pers
congratulate|gratulieren d/beglückwünschen a|pers|pers
belong to|gehören d|own anim veh|pers
wait for|warten auf+a/erwarten a/ab~warten a|pers anim|pers veh text
think about thought thought|denken,denkt,dachte,gedacht an+a/nach~denken,denkt,dachte,gedacht über+a|pers|pers event question answer idea plan problem mistake
talk about|sprechen,spricht,sprach,gesprochen über+a/reden über+a/sprechen,spricht,sprach,gesprochen von+d/reden von+d/unterhalten,unterhält,unterhielt,unterhalten über+a|pers|pers event idea text show topic
dream of|träumen von+d|pers|pers event beach lake forest garden
take part in took taken|teil~nehmen,nimmt,nahm,genommen an+d/mit~machen bei+d|pers|event
ask for|bitten,bittet,bat,gebeten um+a/fragen nach+d/verlangen a|pers|food drink small paid
laugh at|lachen über+a/aus~lachen a|pers|pers idea show
give gave given|geben,gibt,gab,gegeben da/schenken da/überreichen da|pers|small text food cloth|pers
show showed shown|zeigen da/vor~zeigen da|pers|own place text small|pers
send sent sent|schicken da/senden,sendet,sandte,gesandt da/zu~schicken da/schicken an+a|pers|text small|pers
lend lent lent|leihen,leiht,lieh,geliehen da/verleihen,verleiht,verlieh,verliehen da/aus~leihen,leiht,lieh,geliehen da/borgen da|pers|own text|pers
bring brought brought|bringen,bringt,brachte,gebracht da|pers|food drink small cloth|pers
tell told told|erzählen da/sagen da|pers|tale|pers
explain|erklären da/erläutern da|pers|idea|pers
offer|an~bieten,bietet,bot,geboten da|pers|food drink|pers
recommend|empfehlen,empfiehlt,empfahl,empfohlen da|pers|text show food place|pers
sleep slept slept|schlafen,schläft,schlief,geschlafen -|pers anim|loc
work|arbeiten -|pers|loc
dance|tanzen -|pers|loc
laugh|lachen -|pers|
cry|weinen -/heulen -|pers|
swim swam swum|schwimmen,schwimmt,schwamm,geschwommen,s -|pers anim|
smile|lächeln -|pers|
get up got got|auf~stehen,steht,stand,gestanden,s -|pers|
wake up woke woken|auf~wachen,s -/erwachen,s -|pers anim|
fall asleep fell fallen|ein~schlafen,schläft,schlief,geschlafen,s -|pers anim|
arrive|an~kommen,kommt,kam,gekommen,s -/ein~treffen,trifft,traf,getroffen,s -|pers|loc
come back came come|zurück~kommen,kommt,kam,gekommen,s -/wieder~kommen,kommt,kam,gekommen,s -/zurück~kehren,s -|pers anim|
go out went gone|aus~gehen,geht,ging,gegangen,s -/weg~gehen,geht,ging,gegangen,s -/hinaus~gehen,geht,ging,gegangen,s -/raus~gehen,geht,ging,gegangen,s -|pers|
stay|bleiben,bleibt,blieb,geblieben,s -|pers anim|loc
live|wohnen -/leben -|pers|loc
sit sat sat|sitzen,sitzt,saß,gesessen -|pers anim|loc
wait|warten -/ab~warten -|pers|loc
rain|regnen -|rain|
snow|schneien -|rain|
go went gone|gehen,geht,ging,gegangen,s -/fahren,fährt,fuhr,gefahren,s -/laufen,läuft,lief,gelaufen,s -|pers|dir
travel travelled travelled|reisen,s -/fahren,fährt,fuhr,gefahren,s -/verreisen,s -|pers|dir
walk|gehen,geht,ging,gegangen,s -/laufen,läuft,lief,gelaufen,s -/spazieren,s -|pers|dir
run ran run|laufen,läuft,lief,gelaufen,s -/rennen,rennt,rannte,gerannt,s -|pers anim|dir
drive drove driven|fahren,fährt,fuhr,gefahren,s -|pers|dir
come came come|kommen,kommt,kam,gekommen,s -|pers|dir
fly flew flown|fliegen,fliegt,flog,geflogen,s -|pers|dir
hurry|eilen,s -/beeilen -/laufen,läuft,lief,gelaufen,s -/rennen,rennt,rannte,gerannt,s -|pers|dir
lie lay lain|liegen,liegt,lag,gelegen -/befinden,befindet,befand,befunden -/sein,ist,war,gewesen,s -|small text cloth|on
stand stood stood|stehen,steht,stand,gestanden -/befinden,befindet,befand,befunden -|pers anim furn|on
put put put|legen a/stellen a/setzen a/tun,tut,tat,getan a|pers|small text cloth
cost cost cost|kosten -|own veh text food small|
be was been|sein,ist,war,gewesen,s -|pers anim food drink text cloth veh own small place idea event|
become became become|werden,wird,wurde,geworden,s -|pers|
know that knew known|wissen,weiß,wusste,gewusst a|pers|
think thought thought|denken,denkt,dachte,gedacht -/glauben a/meinen -/finden,findet,fand,gefunden a|pers|
say said said|sagen -/meinen -/behaupten a|pers|
hope|hoffen -|pers|
believe|glauben -/denken,denkt,dachte,gedacht -|pers|
"""

# German verbs that no meaning here asks for: known, so that their forms are read and their use counts as wrong.
MORE_VERBS = """
machen a;lassen,lässt,ließ,gelassen a;halten,hält,hielt,gehalten a;fragen a;vermieten a;verpassen a;fangen,fängt,fing,gefangen a
hassen a;holen a;rufen,ruft,rief,gerufen a;probieren a;ziehen,zieht,zog,gezogen a;werfen,wirft,warf,geworfen a;räumen a
schalten a;laden,lädt,lud,geladen a;bieten,bietet,bot,geboten da;schlagen,schlägt,schlug,geschlagen a;heißen,heißt,hieß,geheißen -
schauen -;gucken -;rauchen a;reiten,reitet,ritt,geritten,s -;springen,springt,sprang,gesprungen,s -;fallen,fällt,fiel,gefallen,s -
steigen,steigt,stieg,gestiegen,s -;beginnen,beginnt,begann,begonnen a;enden -;wecken a;heilen a;retten a;töten a;küssen a
passieren,s -;warnen a;zählen a;reißen,reißt,riss,gerissen a;brechen,bricht,brach,gebrochen a;verlassen,verlässt,verließ,verlassen a
an~fangen,fängt,fing,gefangen a;auf~hören -;ab~fahren,fährt,fuhr,gefahren,s -;ein~kaufen a;fern~sehen,sieht,sah,gesehen -;um~ziehen,zieht,zog,gezogen,s -
schneiden,schneidet,schnitt,geschnitten a;teilen a;stören a;ändern a;verändern a;gewinnen,gewinnt,gewann,gewonnen a;versuchen a;erinnern a
"""

# kind of thing described: p person, a animal, f food, d drink, t thing, c cloth, v vehicle, x text, l place, i idea, e event
ADJECTIVES = """
old:older|alt,älter/betagt|p a t c v l
young:younger|jung,jünger|p a
new:newer|neu|t c v x l i
big:bigger|groß,größer/riesig|a f t v l
small:smaller|klein/winzig|p a f t v l
tall:taller|groß,größer/hochgewachsen|p
beautiful:more beautiful|schön/wunderschön/hübsch|t c v l
friendly:friendlier|freundlich/nett|p a
nice:nicer|nett/freundlich/sympathisch/schön|p
rich:richer|reich/wohlhabend|p
poor:poorer|arm,ärmer|p
tired:more tired|müde/erschöpft/schläfrig|p a pred
happy:happier|glücklich/froh/fröhlich/zufrieden|p pred
sad:sadder|traurig|p x pred
sick:sicker|krank|p a pred
hungry:hungrier|hungrig|p a pred
strong:stronger|stark,stärker/kräftig|p a
famous:more famous|berühmt/bekannt|p l
clever:cleverer|klug,klüger/schlau/gescheit/intelligent/clever|p a
lazy:lazier|faul/träge|p a
hot:hotter|heiß|d
cold:colder|kalt,kälter|d f
warm:warmer|warm,wärmer|c
fresh:fresher|frisch|f d
sweet:sweeter|süß|f
good:better|gut,besser|f d x i
expensive:more expensive|teuer/kostspielig|f t c v
cheap:cheaper|billig/günstig/preiswert|t c v
red:redder|rot,röter|t c v
blue:bluer|blau|t c v
green:greener|grün|t c v
black:blacker|schwarz,schwärzer|a t c v
white:whiter|weiß|a c t
heavy:heavier|schwer|t
light:lighter|leicht/hell|t c
fast:faster|schnell/rasch|v
slow:slower|langsam|v
broken:more broken|kaputt/defekt/zerbrochen|t v pred
long:longer|lang,länger|x e
short:shorter|kurz,kürzer|x e
interesting:more interesting|interessant/spannend|x i e l
boring:more boring|langweilig/öde|x e
important:more important|wichtig/bedeutend|x i e
difficult:more difficult|schwierig/schwer/kompliziert|x i e
easy:easier|einfach/leicht/simpel|i e
funny:funnier|lustig/komisch/witzig|x i
quiet:quieter|ruhig/leise/still|l
loud:louder|laut|l
dark:darker|dunkel/düster|l c
clean:cleaner|sauber/rein|l c
dirty:dirtier|schmutzig/dreckig|l c v
empty:emptier|leer|l
strange:stranger|seltsam/merkwürdig/komisch/sonderbar/eigenartig|p i x
last:later|letzt/vorig/vergangen|z
next:nexter|nächst/kommend|z
"""

# adjectives that do not suit some of the nouns of their kind
NOT_SAID_OF = """
warm|skirt
cold|apple banana bread cake carrot cheese chocolate egg fish fruit pear rice sausage tomato
sweet|bread carrot cheese egg fish meat pizza potato rice salad sausage soup tomato
hot|beer juice wine
broken|ball basket bill box carpet flower gift key map picture ring spoon ticket wall
fresh|beer chocolate coffee pizza tea water wine
big|bill bread cheese chocolate fish fruit key meat rice ring salad soup spoon ticket
long|invitation magazine newspaper ticket word
fast|boat
expensive|egg potato wall window
heavy|apple ball flower key map ring spoon ticket wall
light|bed flower map table ticket wall window
red|bill knife machine map mirror spoon ticket
green|bill flower knife machine map mirror plane spoon ticket
blue|bill knife machine map mirror spoon ticket
black|bill duck flower knife map mirror plane spoon ticket
white|bill knife map mirror spoon ticket
small|bread cheese chocolate fish fruit rice airport bill boss city hospital man meat parents supermarket woman
old|bill boy child girl
young|child grandfather grandmother parents
quiet|airport factory station
empty|beach bridge city forest lake village
loud|beach forest lake library
clean|dress
dark|airport beach lake market supermarket
new|beach bill forest lake mistake
famous|driver flat guest kitchen neighbour office room shop tourist village
good|mistake problem
important|poem journey song
cheap|church city park village wall
beautiful|bill factory machine office supermarket
short|concert game magazine newspaper party week
easy|concert idea journey meeting mistake party
difficult|book concert letter magazine message mistake newspaper party
rich|boy child girl guest nurse
poor|doctor engineer lawyer tourist
sad|contract magazine newspaper report
funny|contract plan problem rule
lazy|bird cow duck rabbit
clever|cow duck mistake problem rabbit rule sentence word
strange|party
interesting|bakery flat kitchen mistake supermarket
dirty|library
strong|baby bird cat duck grandmother rabbit
tall|baby child parents
"""

# English | German variants | concepts the judge looks for | tenses: p past, n present, f future
TIMES = """
yesterday|gestern|yesterday|p
yesterday evening|gestern Abend/gestern am Abend|yesterday evening|p
this morning|heute Morgen/heute früh/heute Vormittag/an diesem Morgen|today morning|p
last week|letzte Woche/in der letzten Woche/vorige Woche|last week|p
last month|letzten Monat/im letzten Monat/vorigen Monat|last month|p
last year|letztes Jahr/im letzten Jahr/voriges Jahr|last year|p
last summer|letzten Sommer/im letzten Sommer/vorigen Sommer|last summer|p
last Friday|letzten Freitag/am letzten Freitag|last Friday|p
today|heute|today|n
this evening|heute Abend/an diesem Abend|today evening|f
now|jetzt/nun|now|n
at the moment|im Moment/zurzeit/momentan/derzeit/im Augenblick/gerade|moment|n
tomorrow|morgen|tomorrow|f
tomorrow morning|morgen früh/morgen Vormittag|tomorrow morning|f
tomorrow evening|morgen Abend|tomorrow evening|f
next week|nächste Woche/in der nächsten Woche/kommende Woche|next week|f
next month|nächsten Monat/im nächsten Monat/kommenden Monat|next month|f
next year|nächstes Jahr/im nächsten Jahr/kommendes Jahr|next year|f
next Sunday|nächsten Sonntag/am nächsten Sonntag/kommenden Sonntag|next Sunday|f
soon|bald/demnächst|soon|f
later|später|later|f
every day|jeden Tag/täglich|every day|n
every week|jede Woche/wöchentlich|every week|n
every morning|jeden Morgen|every morning|n
every evening|jeden Abend|every evening|n
every year|jedes Jahr/jährlich|every year|n
in the morning|am Morgen/morgens/am Vormittag|morning|pnf
in the afternoon|am Nachmittag/nachmittags|afternoon|pnf
in the evening|am Abend/abends|evening|pnf
at night|in der Nacht/nachts/bei Nacht|night|pnf
at the weekend|am Wochenende|weekend|pnf
in summer|im Sommer|summer|pn
in winter|im Winter|winter|pn
"""

FREQUENCIES = """
often|oft/häufig
always|immer/stets
sometimes|manchmal/gelegentlich
never|nie/niemals
rarely|selten
usually|normalerweise/meistens/gewöhnlich/meist
"""

MANNERS = """
quickly|schnell/rasch
slowly|langsam
quietly|leise/ruhig/still
carefully|vorsichtig/sorgfältig
alone|allein/alleine
"""

# Adverbs that carry content and that no meaning here asks for, and particles that are free.
OTHER_ADVERBS = (
    "hier dort da drüben oben unten draußen drinnen links rechts gern gerne leider vielleicht wahrscheinlich natürlich "
    "bestimmt sicher sofort endlich schließlich plötzlich früher damals vorgestern übermorgen mittags zusammen gemeinsam "
    "wieder weiter weit nah genug mehr weniger viel wenig besonders ganz ziemlich fast etwa ungefähr anders lange laut "
    "deutsch englisch überall nirgends irgendwo hinaus herein dahin dorthin daher hin her einmal zweimal dreimal"
)
FREE_WORDS = (
    "denn doch mal eben halt wohl ja schon gerade bitte auch nur dann einfach eigentlich selbst so noch immerhin dabei"
)

MALE_NAMES = listed("Tom Paul Max Peter Martin David Karl Jan Ali Oliver Simon Leo Emil Daniel")
FEMALE_NAMES = listed("Anna Maria Lisa Julia Sarah Laura Emma Eva Nina Clara Mia Sophie Lena Marta")
SURNAMES = listed("Weber Klein Fischer Wagner Becker Koch Braun Schmidt Keller Meyer")
CITIES = dict(
    pair.split(":")
    for pair in listed(
        "Berlin:Berlin Hamburg:Hamburg Vienna:Wien Munich:München Cologne:Köln Zurich:Zürich London:London Paris:Paris "
        "Rome:Rom Bremen:Bremen Leipzig:Leipzig Prague:Prag Italy:Italien France:Frankreich Spain:Spanien Poland:Polen"
    )
)

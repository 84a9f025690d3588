"""Names, towns, streets and occupations of the made registers, the most frequent first."""

from __future__ import annotations

GERMAN_GIVEN = tuple(
    """Peter Michael Thomas Andreas Wolfgang Klaus Hans Juergen Guenter Stefan Ursula Christian Uwe Werner Horst Frank
    Dieter Manfred Gerhard Monika Petra Elisabeth Sabine Renate Helga Karin Brigitte Ingrid Erika Martin Andrea Gisela
    Claudia Susanne Gabriele Bernd Torsten Mathias Helmut Walter Heinz Martina Jens Ralf Kurt Gudrun Angelika Heike Ute
    Stefanie Christine Nicole Anna Barbara Karl Daniel Joachim Christa Rolf Markus Alexander Siegfried Juliane Volker
    Rainer Josef Bettina Katrin Birgit Silke Anke Sven Oliver Dirk Holger Carsten Kerstin Tanja Jan Axel Elke Marion
    Cornelia Heinrich Hermann Edith Ilse Gertrud Hildegard Irmgard Waltraud Herta Otto Wilhelm Friedrich Paul Rudolf
    Erwin Erich Jutta Regina Eva Rita Doris Silvia Astrid Anja Sonja Simone Ulrike Ulrich Norbert Detlef Reinhard
    Eberhard Konrad Ludwig Georg Franz Alfred Harald Hartmut Dorothea Margarete Marianne Johanna Rosemarie""".split()
)
GERMAN_SURNAMES = tuple(
    """Mueller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Schaefer Koch Bauer Richter Klein
    Wolf Schroeder Neumann Schwarz Zimmermann Braun Krueger Hofmann Hartmann Lange Schmitt Werner Schmitz Krause Meier
    Lehmann Schmid Schulze Maier Koehler Herrmann Koenig Walter Mayer Huber Kaiser Fuchs Peters Lang Scholz Moeller
    Weiss Jung Hahn Schubert Vogel Friedrich Keller Guenther Frank Berger Winkler Roth Beck Lorenz Baumann Franke
    Albrecht Schuster Simon Ludwig Boehm Winter Kraus Martin Schumacher Kraemer Vogt Stein Jaeger Otto Sommer Gross
    Seidel Heinrich Brandt Haas Schreiber Graf Schulte Dietrich Ziegler Kuhn Kuehn Pohl Engel Horn Busch Bergmann
    Thomas Voigt Sauer Arnold Wolff Pfeiffer Seifert Hermann Ritter Riedel Kunz Hansen Ernst Huebner Paul Kurz Thiel
    Barth Kroll Nowak Witt Urban Kern Bock Lindner Frey Mohr Reuter Rose Ebert Stark Bender Marx Held Kirsch Rausch
    Specht Dorn Hauser Kolb Ullrich Stahl Geiger Janssen Petersen Behrens Bachmann Steiner Hein Kaufmann""".split()
)
GERMAN_STEMS = tuple(
    "Alten Brand Buch Dorn Eichen Ehren Falken Feld Grab Gries Hagen Heid Hohen Horst Kalk Kirch Land Linden Mitten"
    " Neuen Ober Osten Quell Rauten Reis Rosen Sand Schoen Stein Sturm Tann Unter Wald Wart Weiden Wies Winter".split()
)
GERMAN_ENDINGS = tuple(
    "bach berg mann bauer hofer burg stein hausen thal feld mueller kamp reuter wald heim rath ner ke".split()
)

ENGLISH_MEN = tuple(
    """John William Thomas George James Charles Henry Robert Edward Richard Joseph Samuel Frederick Arthur Francis
    Alfred David Walter Benjamin Daniel Peter Philip Stephen Edmund Matthew Andrew Christopher Anthony Ralph Nicholas
    Isaac Albert Ernest Herbert Harold Hugh Alexander Michael Jonathan Nathaniel Lawrence Simon Roger Patrick Frank
    Leonard Timothy Gilbert Reginald Percy Sidney Cecil Theodore Augustus Horace Josiah Abraham Jeremiah Ambrose""".split()
)
ENGLISH_WOMEN = tuple(
    """Mary Elizabeth Anne Sarah Jane Margaret Catherine Emma Alice Charlotte Florence Frances Harriet Eleanor Martha
    Ellen Caroline Edith Louisa Emily Dorothy Isabella Susan Hannah Rebecca Matilda Agnes Rachel Grace Julia""".split()
)
ENGLISH_NICKNAMES = {
    "John": ("Jack", "Johnny", "Jno"),
    "William": ("Bill", "Will", "Wm", "Billy"),
    "Thomas": ("Tom", "Tommy"),
    "James": ("Jim", "Jimmy"),
    "Charles": ("Charlie", "Chas"),
    "Henry": ("Harry", "Hal"),
    "Robert": ("Bob", "Rob", "Bert"),
    "Edward": ("Ted", "Ned", "Eddie"),
    "Richard": ("Dick", "Rick"),
    "Joseph": ("Joe", "Jos"),
    "Samuel": ("Sam",),
    "Frederick": ("Fred", "Freddie"),
    "Francis": ("Frank",),
    "Benjamin": ("Ben",),
    "Daniel": ("Dan",),
    "Elizabeth": ("Betty", "Lizzie", "Eliza"),
    "Mary": ("Polly", "Molly"),
    "Margaret": ("Peggy", "Maggie"),
    "Catherine": ("Kate", "Kitty"),
    "Sarah": ("Sally",),
}
ENGLISH_SURNAMES = tuple(
    """Smith Jones Taylor Brown Williams Wilson Johnson Davies Robinson Wright Thompson Evans Walker White Roberts Green
    Hall Wood Jackson Clarke Harris Clark Scott Turner Hill Moore Cooper Ward Morris King Watson Baker Harrison Morgan
    Patel Young Allen Mitchell Anderson Lee Phillips Parker Bennett Davis Bell Cook Shaw Richardson Carter Collins
    Edwards Hughes Murphy Bailey Cox Miller Marshall Simpson Webb Adams Foster Ellis Chapman Mason Gray Rogers Hunt
    Holmes Mills Palmer Knight Barker Matthews Stevens Butler Pearson Barnes Fletcher Howard Andrews Dixon Fisher""".split()
)
ENGLISH_STEMS = tuple(
    "Ash Black Brad Bran Carl Chester Cran Dal Den East Fair Grand Hal Harring Hart Hol Horn Kings Lang Lin Mar Nor"
    " Old Pem Ray Rush Shel Stan Stock Thorn Wal Wen Whit Win Wood".split()
)
ENGLISH_ENDINGS = tuple("ton ley ford ham field wood worth well bury more shaw stead brook by croft".split())
ENGLISH_TOWNS = (
    ("London", "SE"), ("Liverpool", "L"), ("Manchester", "M"), ("Birmingham", "B"), ("Leeds", "LS"), ("Bristol", "BS"),
    ("Sheffield", "S"), ("Bradford", "BD"), ("Nottingham", "NG"), ("Leicester", "LE"), ("Plymouth", "PL"),
    ("Portsmouth", "PO"), ("Norwich", "NR"), ("Oxford", "OX"), ("Cambridge", "CB"), ("York", "YO"), ("Bath", "BA"),
    ("Exeter", "EX"), ("Derby", "DE"), ("Southampton", "SO"), ("Brighton", "BN"), ("Canterbury", "CT"),
    ("Worcester", "WR"), ("Gloucester", "GL"), ("Ipswich", "IP"), ("Lincoln", "LN"), ("Chester", "CH"),
)  # fmt: skip
OCCUPATIONS = tuple(
    """politician writer cricketer painter priest soldier footballer lawyer actor engineer physician architect merchant
    composer poet botanist banker officer sculptor journalist judge""".split()
)

SPANISH_MEN = tuple(
    """Manuel;Francisco;David;José Luis;Juan;Javier;Daniel;José Antonio;Carlos;Francisco Javier;Miguel;Rafael;Alejandro;
    Pablo;Miguel Ángel;Fernando;Sergio;José Manuel;Luis;Ángel;Diego;Juan Carlos;Andrés;Raúl;Adrián;Enrique;Víctor;
    Ramón;Vicente;Alberto;Iván;Rubén;Óscar;Joaquín;Santiago;Eduardo;Roberto;Jaime;Mario;Ignacio;Hugo;Alfonso;Marcos;
    Salvador;Ricardo;Emilio;Guillermo;Gabriel;Julián;Tomás;Agustín;Gonzalo;Félix;Joan;Martín;Nicolás;Samuel;Ismael;
    Mateo;Aitor;Xavier;Lucas;Iker;Unai;Héctor;Álvaro;Cristian;Mariano;Domingo;Sebastián""".replace("\n    ", "").split(
        ";"
    )
)
SPANISH_WOMEN = tuple(
    """María Carmen;María;Carmen;Ana María;Josefa;Isabel;María Pilar;Laura;María Dolores;María Teresa;Cristina;Ana;Marta;
    María Ángeles;Francisca;Lucía;María Isabel;María José;Antonia;Dolores;Sara;Paula;Elena;María Luisa;Raquel;Rosa María;
    Pilar;Concepción;Manuela;Mercedes;Julia;Beatriz;Nuria;Silvia;Rosario;Irene;Teresa;Patricia;Alba;Montserrat;Andrea;
    Rocío;Mónica;Alicia;Ángela;Encarnación;Sonia;Sandra;Marina;Susana;Yolanda;Margarita;Natalia;Claudia;Sofía;Eva;
    Inmaculada;Carla;Noelia;Verónica;Ainhoa;Esther;Lorena;Consuelo;Nerea""".replace("\n    ", "").split(";")
)
SPANISH_NICKNAMES = {
    "Francisco": ("Paco", "Fran", "Curro"),
    "Manuel": ("Manolo", "Manu"),
    "José Luis": ("Pepe", "J. Luis"),
    "José Antonio": ("Josean", "J. Antonio", "Pepe"),
    "José Manuel": ("Josema", "Chema"),
    "Francisco Javier": ("Javi", "Fco. Javier", "F. Javier"),
    "Miguel Ángel": ("Miguel", "M. Ángel"),
    "Juan Carlos": ("Juanca", "J. Carlos"),
    "María Carmen": ("Mª Carmen", "Mari Carmen", "Carmen", "M. Carmen"),
    "María Dolores": ("Lola", "Mª Dolores", "Loli"),
    "María Pilar": ("Pili", "Mª Pilar", "Pilar"),
    "María Teresa": ("Maite", "Mª Teresa", "Teresa"),
    "María José": ("Mª José", "Majo"),
    "María Isabel": ("Maribel", "Mª Isabel"),
    "María Luisa": ("Marisa", "Mª Luisa"),
    "María Ángeles": ("Mª Ángeles", "Marian"),
    "Concepción": ("Concha", "Conchi"),
    "Dolores": ("Lola", "Loli"),
    "Josefa": ("Pepa", "Pepi"),
    "Antonia": ("Toñi",),
    "Rosario": ("Charo",),
    "Mercedes": ("Merche",),
    "Ignacio": ("Nacho",),
    "Enrique": ("Quique",),
    "Alejandro": ("Álex", "Jandro"),
    "Rafael": ("Rafa",),
    "Fernando": ("Fer", "Nando"),
}
SPANISH_SURNAMES = tuple(
    """García Rodríguez González Fernández López Martínez Sánchez Pérez Gómez Martín Jiménez Hernández Ruiz Díaz Moreno
    Muñoz Álvarez Romero Gutiérrez Alonso Navarro Torres Domínguez Ramos Vázquez Ramírez Gil Serrano Morales Molina
    Blanco Suárez Castro Ortega Delgado Ortiz Marín Rubio Núñez Medina Sanz Castillo Iglesias Cortés Garrido Santos
    Guerrero Lozano Cano Cruz Méndez Flores Prieto Herrera Peña León Márquez Cabrera Gallego Calvo Vidal Campos Reyes
    Vega Fuentes Carrasco Díez Aguilar Caballero Nieto Santana Vargas Pascual Giménez Herrero Hidalgo Montero Lorenzo
    Santiago Benítez Durán Ibáñez Arias Mora Ferrer Carmona Vicente Rojas Soto Crespo Román Pastor Velasco Parra Sáez
    Moya Bravo Rivera Gallardo Soler Esteban Silva Franco Lara Merino Espinosa Camacho Izquierdo Rivas""".split()
)
SPANISH_STEMS = tuple(
    "Alda Arri Bar Bel Bena Cala Cam Carri Cas Corre Echa Esca Fon Gala Guri Iri Lama Lande Mara Mon Olme Para Pede"
    " Quin Rebo Sala Sari Tala Toli Urru Vale Villa Zaba Zuma".split()
)
SPANISH_ENDINGS = tuple("zar lez do beitia rrieta vera mar lla nte ga goitia reda les no ra dez".split())
SPANISH_TOWNS = (
    ("Madrid", "28"), ("Barcelona", "08"), ("Valencia", "46"), ("Sevilla", "41"), ("Zaragoza", "50"), ("Málaga", "29"),
    ("Murcia", "30"), ("Palma", "07"), ("Bilbao", "48"), ("Alicante", "03"), ("Córdoba", "14"), ("Valladolid", "47"),
    ("Vigo", "36"), ("Gijón", "33"), ("A Coruña", "15"), ("Granada", "18"), ("Pamplona", "31"), ("Almería", "04"),
    ("Burgos", "09"), ("Santander", "39"), ("Toledo", "45"), ("Cádiz", "11"), ("Huelva", "21"), ("León", "24"),
)  # fmt: skip
_STREET_TYPES = ("Calle", "Avenida", "Plaza", "Camino", "Paseo")
_STREET_NAMES = tuple(
    """Mayor;Real;San Juan;del Sol;de la Constitución;Cervantes;de la Iglesia;del Carmen;Goya;Colón;de Madrid;Nueva;
    de la Fuente;San Pedro;Santa Ana;de Andalucía;Velázquez;Lope de Vega;del Prado;de la Paz;San José;Gran Vía;
    Miguel Hernández;Rosalía de Castro;de los Olivos;del Molino;Pablo Picasso;Antonio Machado;de la Estación;
    García Lorca;del Pilar;San Antonio;de Europa;de la Libertad;Ramón y Cajal;del Río""".replace("\n    ", "").split(
        ";"
    )
)
SPANISH_STREETS = tuple(
    f"{_STREET_TYPES[(place * 7 + place // 5) % 5]} {name}" for place, name in enumerate(_STREET_NAMES)
)

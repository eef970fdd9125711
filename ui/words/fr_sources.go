package words

var frenchSources = map[string]string{
	"Sources · Tarn":                 "Sources · Tarn",
	"The sources and what ails them": "Les sources et leurs maux",
	"Source":                         "Source",
	"each is a file in the project’s folder connectors":              "chacune est un fichier du dossier connectors du projet",
	"Find sources by name, kind or topic":                            "Chercher des sources par leur nom, leur sorte ou un topic",
	"Add a source":                                                   "Ajouter une source",
	"No source yet.":                                                 "Pas encore de source.",
	"No source has “%s” in its name, its kind or its topics.":        "Aucune source n’a «\u00a0%s\u00a0» dans son nom, sa sorte ou ses topics.",
	"The first %d of %d: find others by name; /api/sources has all.": "Les %d premières sur %d\u00a0: cherchez les autres par leur nom\u00a0; /api/sources les donne toutes.",
	"changes that came since start":                                  "changements reçus depuis le démarrage",
	"changes a second":                                               "changements par seconde",
	"in the source, not yet in the log":                              "dans la source, pas encore dans le journal",
	"age of the oldest that waits":                                   "âge du plus ancien qui attend",
	"records of its topics that could not be landed, since start":    "enregistrements de ses topics qui n’ont pas pu être déposés, depuis le démarrage",
	"%s thing to know":                                               "%s chose à savoir",
	"%s things to know":                                              "%s choses à savoir",
	"Show the dead letters of %s":                                    "Montrer les rejets de %s",

	// One of them.
	"%s since":                      "%s depuis",
	"First snapshot:":               "Premier snapshot\u00a0:",
	"since start":                   "depuis le démarrage",
	"that come in":                  "qui arrivent",
	"in the source, not in the log": "dans la source, pas dans le journal",
	"the oldest that waits":         "le plus ancien qui attend",
	"of its topics, since start":    "de ses topics, depuis le démarrage",
	"In the flow":                   "Dans le flux",
	"it goes on where it stood; meanwhile the source keeps what changes": "elle reprendra où elle en était\u00a0; d’ici là, la source garde ce qui change",
	"show it":                             "la montrer",
	"What to know of it":                  "Ce qu’il faut savoir d’elle",
	"Where it stands":                     "Où elle en est",
	"Its position":                        "Sa position",
	"Landed":                              "Déposées",
	"that it fills, and their tables":     "qu’elle remplit, et leurs tables",
	"records that bronze got since start": "enregistrements arrivés dans bronze depuis le démarrage",
	"None yet: a topic is made with its first record.":              "Aucun pour l’instant\u00a0: un topic est créé avec son premier enregistrement.",
	"Changes that come meanwhile are kept, and follow.":             "Les changements qui arrivent entre-temps sont gardés, et suivront.",
	"pieces of it that became no row, with what to do":              "ce qui n’est pas devenu une ligne, et que faire",
	"to change it, change its file in the folder connectors":        "pour la changer, changez son fichier dans le dossier connectors",
	"%s kept in the source":                                         "%s gardés dans la source",
	"looks at the source, and says what is wrong and what mends it": "regarde la source, et dit ce qui ne va pas et ce qui y remédie",
	"End…":           "Terminer…",
	"End the source": "Terminer la source",
	"Its file leaves the project, and what Tarn made in its database goes. Its topics and tables stay. Made again, it begins with a snapshot.": "Son fichier quitte le projet, et ce que Tarn a créé dans sa base s’en va. Ses topics et ses tables restent. Recréée, elle commence par un snapshot.",
	"End it":     "La terminer",
	"What to do": "Que faire",
	"Test it":    "L’essayer",
	"of its database, each with how it stands":                                                      "de sa base, chacune avec son état",
	"reads them again from the beginning, beside what goes on; their mirrors equal them afterwards": "les relit depuis le début, à côté de ce qui continue\u00a0; leurs miroirs leur sont ensuite égaux",

	"Snapshot all anew": "Refaire tous les snapshots",
	"Snapshot anew":     "Refaire le snapshot",
	"Snapshot %s anew":  "Refaire le snapshot de %s",

	"How far the snapshot of %s is": "Avancement du snapshot de %s",

	"The first %d of %d: system.source_tables has all.": "Les %d premières sur %d\u00a0: system.source_tables les donne toutes.",

	// Sending a dead letter again.
	"Send again": "Renvoyer",
	"It goes to the end of its topic as a new record, which every reader takes: also one that had taken the first. A letter is sent once, and stays here, marked.": "Il va à la fin de son topic comme un nouvel enregistrement, que prend chaque lecteur\u00a0: aussi celui qui avait pris le premier. Un rejet est renvoyé une fois, et reste ici, marqué.",
	"It never was a record: write the JSON object that it should have become.":                                                                                     "Ce n’a jamais été un enregistrement\u00a0: écrivez l’objet JSON qu’il aurait dû devenir.",
	"The record":    "L’enregistrement",
	"Send it again": "Le renvoyer",

	// Adding one.
	"of the source, and of its file; required": "de la source, et de son fichier\u00a0; obligatoire",
	"required":                             "obligatoire",
	"Save this in the project’s folder as": "Enregistrez ceci dans le dossier du projet sous",
	"A running Tarn looks there every two seconds: the source appears below by itself, with what is wrong, if something is.": "Tarn y regarde toutes les deux secondes\u00a0: la source apparaît d’elle-même ci-dessous, avec ce qui ne va pas, s’il y a lieu.",
	"Tarn writes this into the project’s folder, after it has looked at the keys, as":                                        "Tarn écrit ceci dans le dossier du projet, après avoir regardé les clés, sous",
	"The source then appears below.": "La source apparaît alors ci-dessous.",
	"Write the file":                 "Écrire le fichier",
	"The connector's file":           "Le fichier du connecteur",
	"Copy the file":                  "Copier le fichier",
	"This Tarn has no connectors.":   "Ce Tarn n’a pas de connecteurs.",
}

// frenchKinds are the titles of connectors and what they say of their keys.
var frenchKinds = map[string]string{
	"SQLite, any journal mode, by triggers":                           "SQLite, tout mode de journal, par déclencheurs",
	"the database file; a relative path starts at the project folder": "le fichier de la base\u00a0; un chemin relatif part du dossier du projet",
	"topics are named <prefix>.main.<table>":                          "les topics se nomment <prefix>.main.<table>",
	"the tables to capture: anchored regular expressions, separated by commas, with or without main. before the name; all tables by default": "les tables à capturer\u00a0: des expressions rationnelles ancrées, séparées par des virgules, avec ou sans main. devant le nom\u00a0; toutes par défaut",
	"the tables to leave out, written in the same way":                                                                      "les tables à exclure, écrites de la même façon",
	"initial (a table's first time), always (at every start), when_needed (as initial), no_data (only changes from now on)": "initial (la première fois d’une table), always (à chaque démarrage), when_needed (comme initial), no_data (seulement les changements à venir)",
	"milliseconds between two looks at the database":                                                                        "millisecondes entre deux lectures de la base",

	"Files of a directory: JSON lines, CSV, logs, Parquet":        "Fichiers d’un répertoire\u00a0: lignes JSON, CSV, journaux, Parquet",
	"the directory; a relative path starts at the project folder": "le répertoire\u00a0; un chemin relatif part du dossier du projet",
	"the topic that the records go to":                            "le topic où vont les enregistrements",
	"the files to read: patterns such as `gate-*.log`, separated by commas; names that begin with a dot, or end in .tmp, .part, .crdownload, .filepart, .swp or ~, are never read":       "les fichiers à lire\u00a0: des motifs tels que `gate-*.log`, séparés par des virgules\u00a0; les noms qui commencent par un point, ou finissent par .tmp, .part, .crdownload, .filepart, .swp ou ~, ne sont jamais lus",
	"jsonl (one object a line), csv (the first row names the columns), combined (the access logs of Apache and nginx), regex (pattern takes each line apart), parquet":                   "jsonl (un objet par ligne), csv (la première ligne nomme les colonnes), combined (les journaux d’accès d’Apache et nginx), regex (pattern découpe chaque ligne), parquet",
	"types of columns, as in `teu:long, eta:timestamp, fee:decimal(10,2)`; beside them boolean, int, double, string, date and uuid. Others are found out: in CSV by a file's first rows": "types de colonnes, comme dans `teu:long, eta:timestamp, fee:decimal(10,2)`\u00a0; aussi boolean, int, double, string, date et uuid. Les autres sont trouvés\u00a0: en CSV par les premières lignes d’un fichier",
	"of CSV: one character, or tab": "de CSV\u00a0: un caractère, ou tab",
	"of regex: a regular expression (RE2) for a whole line, whose groups with names, `(?P<gate>\\S+)`, become columns":                        "de regex\u00a0: une expression rationnelle (RE2) pour une ligne entière, dont les groupes nommés, `(?P<gate>\\S+)`, deviennent des colonnes",
	"true: a file is read as it grows, line by line; false: once nobody has written to it for quiet.ms":                                       "true\u00a0: un fichier est lu à mesure qu’il croît, ligne par ligne\u00a0; false\u00a0: quand personne n’y a écrit depuis quiet.ms",
	"milliseconds without a write after which a file counts as written; ten times as many, and a last line without its end is taken as it is": "millisecondes sans écriture après lesquelles un fichier passe pour écrit\u00a0; après dix fois plus, une dernière ligne sans fin est prise telle quelle",
	"all: a piece that is no record goes to system.dead_letter; none: the source stops before it":                                             "all\u00a0: ce qui n’est pas un enregistrement va dans system.dead_letter\u00a0; none\u00a0: la source s’arrête devant",
	"milliseconds between two looks at the directory":                                                                                         "millisecondes entre deux lectures du répertoire",

	"PostgreSQL, by logical replication": "PostgreSQL, par réplication logique",

	"the server": "le serveur",

	"its port": "son port",

	"a user with the REPLICATION attribute, and the right to read the tables": "un utilisateur avec l’attribut REPLICATION, et le droit de lire les tables",

	"its password": "son mot de passe",

	"the database; a source reads one": "la base\u00a0; une source en lit une",

	"disable, prefer, require, verify-ca or verify-full": "disable, prefer, require, verify-ca ou verify-full",

	"the file of the certificate that the server's must lead to": "le fichier du certificat auquel celui du serveur doit mener",

	"the file of Tarn's own certificate": "le fichier du certificat de Tarn lui-même",

	"the file of its key": "le fichier de sa clé",

	"topics are named <prefix>.<schema>.<table>": "les topics se nomment <prefix>.<schema>.<table>",

	"the decoder in the server: pgoutput, which every server has": "le décodeur dans le serveur\u00a0: pgoutput, que tout serveur a",

	"the replication slot, made where it is not there; one for each connector": "le slot de réplication, créé s’il n’existe pas\u00a0; un pour chaque connecteur",

	"the publication, made where it is not there": "la publication, créée si elle n’existe pas",

	"what the publication is made for: all_tables (the captured ones where the user is no superuser), filtered, no_tables, disabled": "ce pour quoi la publication est créée\u00a0: all_tables (celles à capturer si l’utilisateur n’est pas superutilisateur), filtered, no_tables, disabled",

	"the schemas to capture: anchored regular expressions, separated by commas": "les schémas à capturer\u00a0: des expressions rationnelles ancrées, séparées par des virgules",

	"the schemas to leave out": "les schémas à exclure",

	"the tables to capture, as <schema>.<table>, likewise; all by default": "les tables à capturer, comme <schema>.<table>, de même\u00a0; toutes par défaut",

	"the tables to leave out": "les tables à exclure",

	"initial (a table's first time), always (at every start), initial_only, no_data (only changes from now on), when_needed (as initial, and by itself where the slot is lost)": "initial (la première fois d’une table), always (à chaque démarrage), initial_only, no_data (seulement les changements à venir), when_needed (comme initial, et de lui-même quand le slot est perdu)",

	"how many connections read a snapshot at once": "combien de connexions lisent un snapshot à la fois",

	"how numeric and money are written: precise, string, double": "comment numeric et money sont écrits\u00a0: precise, string, double",

	"how times are written: adaptive, adaptive_time_microseconds, connect, isostring, microseconds, nanoseconds": "comment les temps sont écrits\u00a0: adaptive, adaptive_time_microseconds, connect, isostring, microseconds, nanoseconds",

	"how intervals are written: numeric (microseconds), string (ISO 8601)": "comment les intervalles sont écrits\u00a0: numeric (microsecondes), string (ISO 8601)",

	"how hstore is written: json, map": "comment hstore est écrit\u00a0: json, map",

	"how bytea is written: bytes, base64, base64-url-safe, hex": "comment bytea est écrit\u00a0: bytes, base64, base64-url-safe, hex",

	"whether columns of types that Debezium does not know are captured, as text": "si les colonnes de types que Debezium ne connaît pas sont capturées, comme texte",

	"what stands for a value that the log does not have": "ce qui remplace une valeur que le journal n’a pas",

	"what becomes of a numeric NaN: debezium (null), extra (kept beside the row)": "ce que devient un NaN de numeric\u00a0: debezium (null), extra (gardé à côté de la ligne)",

	"milliseconds between two reports to the server": "millisecondes entre deux rapports au serveur",

	"the password of that file": "le mot de passe de ce fichier",

	"statements that each connection for statements begins with, separated by semicolons; two stand for one": "les instructions par lesquelles commence chaque connexion pour instructions, séparées par des points-virgules\u00a0; deux en valent un",

	"the columns to capture, as <schema>.<table>.<column>, likewise; columns of the key always are": "les colonnes à capturer, comme <schema>.<table>.<column>, de même\u00a0; celles de la clé le sont toujours",

	"the columns to leave out, likewise": "les colonnes à exclure, de même",

	"column.mask.hash.<algorithm>.with.salt.<salt>: the texts of these columns are their hash; column.mask.hash.v2 of their bytes": "column.mask.hash.<algorithm>.with.salt.<salt>\u00a0: les textes de ces colonnes sont leur hachage\u00a0; column.mask.hash.v2 de leurs octets",

	"column.mask.with.<n>.chars: the texts of these columns are n asterisks": "column.mask.with.<n>.chars\u00a0: les textes de ces colonnes sont n astérisques",

	"column.truncate.to.<n>.chars: the texts of these columns have n characters at most": "column.truncate.to.<n>.chars\u00a0: les textes de ces colonnes ont n caractères au plus",

	"other keys for events and mirrors: <table>:<column>,<column>;<table>:…, where tables are regular expressions": "d’autres clés pour les événements et les miroirs\u00a0: <table>:<column>,<column>;<table>:…, où les tables sont des expressions rationnelles",

	"with snapshot.mode configuration_based: whether rows that are there are read": "avec snapshot.mode configuration_based\u00a0: si les lignes présentes sont lues",

	"with snapshot.mode configuration_based: whether changes are read": "avec snapshot.mode configuration_based\u00a0: si les changements sont lus",

	"with snapshot.mode configuration_based: whether a lost slot begins anew by itself": "avec snapshot.mode configuration_based\u00a0: si un slot perdu recommence de lui-même",

	"the tables that get a snapshot, as <schema>.<table>; all by default": "les tables qui ont un snapshot, comme <schema>.<table>\u00a0; toutes par défaut",

	"tables of which a snapshot reads another query's rows: that of snapshot.select.statement.overrides.<schema>.<table>": "les tables dont un snapshot lit les lignes d’une autre requête\u00a0: celle de snapshot.select.statement.overrides.<schema>.<table>",

	"the query": "la requête",

	"in which order a snapshot reads tables: disabled (by name), ascending, descending (by rows)": "dans quel ordre un snapshot lit les tables\u00a0: disabled (par nom), ascending, descending (par lignes)",

	"the operations of which no event is written: c, u, d, t (truncate), none": "les opérations dont aucun événement n’est écrit\u00a0: c, u, d, t (truncate), none",

	"whether a delete is followed by a record without a value": "si un delete est suivi d’un enregistrement sans valeur",

	"whether events tell their transaction, and a topic its beginning and its end": "si les événements disent leur transaction, et un topic son début et sa fin",

	"the name of that topic behind the prefix": "le nom de ce topic après le préfixe",

	"milliseconds between two records that tell that the source is there; 0 for none": "millisecondes entre deux enregistrements qui disent que la source est là\u00a0; 0 pour aucun",

	"the topic of these records is <this>.<prefix>": "le topic de ces enregistrements est <ceci>.<prefix>",

	"the same, by a later name": "de même, sous un nom plus récent",

	"a statement that is run with each of them": "une instruction exécutée avec chacun d’eux",

	"the messages of pg_logical_emit_message to write to the topic <prefix>.message: anchored regular expressions of their prefixes; all by default": "les messages de pg_logical_emit_message à écrire dans le topic <prefix>.message\u00a0: expressions rationnelles ancrées de leurs préfixes\u00a0; tous par défaut",

	"where Debezium's notifications of snapshots go: sink, which is a topic, and log; jmx there is not": "où vont les notifications de Debezium sur les snapshots\u00a0: sink, qui est un topic, et log\u00a0; jmx n’existe pas",

	"the topic of channel sink, of one connector alone": "le topic du canal sink, d’un seul connecteur",

	"the messages to leave out, likewise": "les messages à exclure, de même",

	"a table whose new rows are Debezium's signals: execute-snapshot, stop-snapshot, pause-snapshot, resume-snapshot, log":                                                                                         "une table dont les nouvelles lignes sont les signaux de Debezium\u00a0: execute-snapshot, stop-snapshot, pause-snapshot, resume-snapshot, log",
	"milliseconds between two looks at that file and that topic":                                                                                                                                                   "millisecondes entre deux regards sur ce fichier et ce topic",
	"what becomes of old rows where columns have changed (a default, a name, a type), which the log does not say: tell (a finding), reread (the table's rows are read again)":                                      "ce que deviennent les anciennes lignes quand des colonnes ont changé (une valeur par défaut, un nom, un type), ce que le journal ne dit pas\u00a0: tell (une remarque), reread (les lignes de la table sont relues)",
	"the file of channel file, in the project folder and of one connector alone: each line is a signal, {\"id\", \"type\", \"data\"}, and the file goes when they are done; <topic.prefix>-signals.txt by default": "le fichier du canal file, dans le dossier du projet et d’un seul connecteur\u00a0: chaque ligne est un signal, {\"id\", \"type\", \"data\"}, et le fichier disparaît quand ils sont faits\u00a0; <topic.prefix>-signals.txt par défaut",
	"the topic of channel kafka, in Tarn's own log: records whose key is topic.prefix are signals; <topic.prefix>-signal by default":                                                                               "le topic du canal kafka, dans le journal de Tarn\u00a0: les enregistrements dont la clé est topic.prefix sont des signaux\u00a0; <topic.prefix>-signal par défaut",

	"from where signals come: source, which is that table, file, kafka": "d’où viennent les signaux\u00a0: source, qui est cette table, file, kafka",

	"what becomes of a row with a value that its event cannot hold: flag (null, and kept beside it), dead_letter, fail (its table is quarantined)": "ce que devient une ligne dont une valeur ne tient pas dans son événement\u00a0: flag (null, et gardée à côté), dead_letter, fail (sa table est mise en quarantaine)",

	"all, with errors.deadletterqueue.topic.name, sends such rows to the dead letters; none allows no dead letters": "all, avec errors.deadletterqueue.topic.name, envoie ces lignes aux lettres mortes\u00a0; none n’en permet aucune",

	"any name: dead letters are in the topic tarn.dead_letter and in system.dead_letter": "un nom quelconque\u00a0: les lettres mortes sont dans le topic tarn.dead_letter et dans system.dead_letter",
}

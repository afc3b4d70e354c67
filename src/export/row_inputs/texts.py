def load(name):
    file = HERE / name
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def ranges(kind):
    return "".join(f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in CHARACTERS[kind])


# Python's own tables are of another version of Unicode, and know no vowel signs as letters.
CHARACTERS, TERMS = load("characters.json"), load("terms.json")
LETTER, WORD = re.compile(f"[{ranges('alphanumeric')}]"), re.compile(f"[_{ranges('alphanumeric')}]{{2,}}")
UNSPACED = re.compile(f"[^{ranges('white_space')}]+")
LOWER = str.maketrans(CHARACTERS["lower"])
PLACES = {kind: {term: i for i, term in enumerate(of["terms"])} for kind, of in TERMS.items()}
IDF = {kind: np.array(of["idf"]) for kind, of in TERMS.items()}


def words(text):
    """Words of two or more letters, digits or underscores, and pairs of neighbours among them."""
    found = WORD.findall(text)
    return found + [f"{one} {two}" for one, two in zip(found, found[1:])]


def letters(text):
    """Groups of two to five characters inside a word, the spaces around it being part of it."""
    found = []
    for word in UNSPACED.findall(text):
        word = f" {word} "
        for size in range(2, min(6, len(word))):
            found += [word[i : i + size] for i in range(len(word) - size + 1)]
        found += [word] if len(word) < 6 else []  # what is no longer is counted once
    return found


def terms(row):
    """Columns and values of a row's words and letters: (1 + ln count) * idf, words and letters each of length sqrt(1/2)."""
    text = "\n".join(row[field] for field in MODEL["fields"]).translate(LOWER).lower()
    columns, values, start = [], [], 0
    for kind, split in ("words", words), ("letters", letters):
        places, idf = PLACES[kind], IDF[kind]
        counts = sorted(Counter(places[term] for term in split(text) if term in places).items())
        found = np.array([(1 + np.log(count)) * idf[place] for place, count in counts])
        columns += [start + place for place, _ in counts]
        values += list(found / np.sqrt(2 * (found**2).sum()))
        start += len(idf)
    return np.array(columns, int), np.array(values)


def shape(text):
    """Words, letters a word, exclamation marks and question marks."""
    count = len(UNSPACED.findall(text))
    return [count, len(LETTER.findall(text)) / max(count, 1), text.count("!"), text.count("?")]

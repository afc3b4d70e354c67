def columns(rows):
    """A line a row: numbers, NaN where one is missing; the shape of its texts; 1 or 0 for each known value and any other."""
    lines = []
    for row in rows:
        texts = MODEL["fields"] if MODEL["text_shape"] else []
        names = [column["name"] for column in MODEL["numeric"]][: len(MODEL["numeric"]) - 4 * len(texts)]
        line = [np.nan if row.get(name) is None else row[name] for name in names]
        line += [number for field in texts for number in shape(row[field])]
        for column in MODEL["categorical"]:
            values, known = row.get(column["name"], []), column["known"]
            line += [one in values for one in known] + [any(one not in known for one in values)]
        lines.append(line)
    return np.array(lines, float).reshape(len(rows), -1)

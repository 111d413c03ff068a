"""The plan reference and the stages reference, as Markdown, from what pystream-coord says of itself."""
import json
import subprocess

# Parts of a plan in the order in which a reader meets them: name in the schema, heading, what it is.
PARTS = [
    ("", "The plan", "The keys at the top of a plan file."),
    ("source", "`source`", "Where items come from."),
    ("stage", "A stage", "A member of `stages`."),
    ("pipeline", "A pipeline", "A member of `stages` that has `stages` of its own."),
    ("sink", "`sink`", "Where items go; also the last stage of a branch that joins nothing."),
    ("link", "`links`, and `link` of a stage", "A link between two workers."),
    ("capacity", "`capacity` of a link", "The first limit that is reached counts."),
    ("limits", "`limits` of a stage", "What its worker may use."),
    ("profiler", "`profiler`", "What is recorded, and how much of it is kept."),
    ("restarts", "`restarts`", "When a run is given up."),
]


def answer_of(coord, *arguments):
    result = subprocess.run([coord, *arguments], capture_output=True, text=True, check=True, timeout=60)
    return json.loads(result.stdout)


def cell(text):
    return text.replace("|", "\\|").replace("\n", " ")


def code(value):
    return f"`{cell(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))}`"


def is_duration(schema):
    return "(ns|" in schema.get("pattern", "")


def type_of(schema):
    """In words, with a link to the part that describes an object."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        heading = next((heading for part, heading, _ in PARTS if part == name), None)
        return f"[object](#{anchor(heading)})" if heading else {"members": "list of stages and pipelines"}.get(name, name)
    if "anyOf" in schema:
        parts = schema["anyOf"]
        if any("pattern" in part for part in parts) and any(part.get("type") == "integer" for part in parts):
            return "size"
        if all("const" in part for part in parts):
            return "one of the registered types"
        words = [type_of(part) for part in parts if part.get("type") != "null"]
        return " or ".join(dict.fromkeys(words))
    if "enum" in schema:
        return " or ".join(code(word) for word in schema["enum"])
    if "const" in schema:
        return code(schema["const"])
    return "duration" if is_duration(schema) else {"array": "list"}.get(schema.get("type"), schema.get("type", "any"))


def anchor(heading):
    return "".join(c for c in heading.lower() if c.isalnum() or c in " -_").strip().replace(" ", "-")


def range_of(schema):
    for part in schema.get("anyOf", [schema]):
        low, high = part.get("minimum"), part.get("maximum")
        if low is not None and high is not None:
            return f"{low} to {high}"
        if low:
            return f"at least {low}"
    return ""


def default_of(schema, required):
    return "must be given" if required else code(schema["default"]) if "default" in schema else "–"


def resolved(schema, definitions):
    """With what a reference to no object of its own stands for: replicas, share."""
    name = schema.get("$ref", "").rpartition("/")[2]
    inline = name and name not in {part for part, _, _ in PARTS} | {"members", "member"}
    return {**definitions[name], **{key: value for key, value in schema.items() if key != "$ref"}} if inline else schema


def keys_table(schema, definitions):
    rows = ["| key | type | default | range | meaning |", "|---|---|---|---|---|"]
    for key, value in schema["properties"].items():
        value = resolved(value, definitions)
        default = default_of(value, key in schema.get("required", []))
        meaning = cell(value.get("description", ""))
        rows.append(f"| `{key}` | {type_of(value)} | {default} | {range_of(value)} | {meaning} |")
    return "\n".join(rows)


def share_key_section(definitions):
    by_key = next(part for part in definitions["share"]["anyOf"] if part.get("type") == "object")
    return "## `key` in `share`\n\nWhere the key of an item stands.\n\n" + keys_table(by_key["properties"]["key"], definitions)


def plan_reference(coord):
    schema = answer_of(coord, "schema")
    definitions = schema["$defs"]
    sections = []
    for name, heading, text in PARTS:
        part = definitions[name] if name else schema
        sections.append(f"## {heading}\n\n{text}\n\n{keys_table(part, definitions)}")
        if name == "pipeline":
            sections.append(share_key_section(definitions))
    introduction = ("# Plan reference\n\nMade from `pystream-coord schema`. A dash: there is no default; without the key the "
                    "meaning does not apply, or the library chooses. Sizes are numbers of bytes or text such as `64MiB`, "
                    "durations text such as `20ms`. [Plans](plan.md) introduces the parts.")
    return "\n\n".join([introduction, *sections]) + "\n"


def amount(spec, value):
    """A value of a parameter as plans write it."""
    if value is None:
        return "–"
    if spec["type"] == "duration" and isinstance(value, int):
        units = [(3_600_000_000_000, "h"), (60_000_000_000, "min"), (1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")]
        return code(next((f"{value // size}{unit}" for size, unit in units if value and value % size == 0),
                         f"{value}ns" if value else "0s"))
    if spec["type"] == "size" and isinstance(value, int):
        units = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")]
        return code(next((f"{value // size}{unit}" for size, unit in units if value and value % size == 0), value))
    return code(value)


def bounds(spec):
    low, high = spec.get("min"), spec.get("max")
    if spec.get("choices"):
        return " or ".join(code(choice) for choice in spec["choices"])
    words = [f"{word} {amount(spec, int(value) if value == int(value) else value)}"
             for word, value in (("from", low), ("to", high)) if value is not None]
    return " ".join(words)


def stage_section(stage):
    facts = [stage["kind"]]
    if stage["kind"] != "source":
        facts.append(f"takes {stage['input'] or 'any'}")
    if stage["kind"] != "sink":
        facts.append(f"gives {stage['output'] or 'any'}")
    text = f"### `{stage['name']}`\n\n{stage['summary'].capitalize()}. *{', '.join(facts)}*\n\n"
    if not stage["params"]:
        return text + "No parameters."
    rows = ["| parameter | type | default | range | meaning |", "|---|---|---|---|---|"]
    for spec in stage["params"]:
        default = amount(spec, spec["default"]) if "default" in spec else "must be given"
        rows.append(f"| `{spec['name']}` | {spec['type']} | {default} | {bounds(spec)} | {cell(spec.get('text', ''))} |")
    return text + "\n".join(rows)


def stages_reference(coord):
    stages = answer_of(coord, "stages", "--json")["types"]
    kinds = [("source", "Sources"), ("stage", "Stages"), ("sink", "Sinks")]
    sections = ["# Stages reference\n\nThe bundled stage types, made from `pystream-coord stages --json`. [Sources and "
                "sinks](sources_and_sinks.md) tells what those at the ends guarantee."]
    for kind, heading in kinds:
        sections.append(f"## {heading}")
        sections += [stage_section(stage) for stage in stages if stage["kind"] == kind]
    return "\n\n".join(sections) + "\n"

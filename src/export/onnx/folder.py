HERE = Path(__file__).resolve().parent
MODEL = json.loads((HERE / "inputs.json").read_text(encoding="utf-8"))

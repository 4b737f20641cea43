"""The service: `POST /predict`, and the part of the MONAI Label protocol that 3D Slicer's module speaks.

Source:
    https://docs.monai.io/projects/label, its REST API: info, infer and session.
"""

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

from fastapi import FastAPI, File, Form, HTTPException, Request, UploadFile
from fastapi.background import BackgroundTasks
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, Response

from wirsung import __version__
from wirsung.compute.outcome import unforeseen
from wirsung.errors import ConfigError, StorageError, WirsungError, near_names
from wirsung.web.limits import ENVELOPE_BYTES, LargestBody, misunderstood
from wirsung.web.uploads import Session, Upload, Uploads
from wirsung.web.warm import Answer, WarmModel

Output = Literal["image", "json", "all"]
Files = Annotated[list[UploadFile], File()]
_GZIP = "application/gzip"
_DISK_FULL = 507


def service(model: WarmModel, uploads: Uploads) -> FastAPI:
    """The application; every page of it is its own, so the documentation that loads from elsewhere is off."""
    app = FastAPI(title="Wirsung", version=__version__, docs_url=None, redoc_url=None)
    app.add_exception_handler(WirsungError, _refused)
    app.add_exception_handler(RequestValidationError, misunderstood)
    app.add_middleware(LargestBody, largest_bytes=uploads.largest_bytes + ENVELOPE_BYTES)
    _add_predict(app, model, uploads)
    _add_infer(app, model, uploads)
    _add_sessions(app, uploads)
    return app


def _add_predict(app: FastAPI, model: WarmModel, uploads: Uploads) -> None:
    @app.get("/")
    def welcome(request: Request) -> PlainTextResponse:
        return PlainTextResponse(_welcome(model, str(request.base_url)))

    @app.post("/predict")
    def predict(
        tasks: BackgroundTasks, file: Files, output: Output = "image", *, lesion_probability: bool = False
    ) -> Response:
        with _room(uploads, tasks) as room, _unnamed(uploads):
            image = uploads.store(_sent(file), room)
            answer = model(image, room, lesion_probability=lesion_probability)
        return _response(answer, output)


def _add_infer(app: FastAPI, model: WarmModel, uploads: Uploads) -> None:
    @app.get("/info/")
    def info() -> dict[str, Any]:
        return _info(model)

    @app.post("/infer/{name}")
    def infer(  # noqa: PLR0913 - as the protocol has them
        tasks: BackgroundTasks,
        name: str,
        image: str = "",
        session_id: str = "",
        params: Annotated[str, Form()] = "{}",
        file: Annotated[UploadFile | None, File()] = None,
        output: Output = "all",
    ) -> Response:
        _check_model(name, model)
        wanted = _params(params)
        with _room(uploads, tasks) as room, _unnamed(uploads):
            if session_id:
                place = uploads.session(session_id).image
            elif file is not None:
                place = uploads.store(_sent([file]), room)
            else:
                _no_image(image)
            answer = model(place, room, lesion_probability=bool(wanted.get("lesion_probability")))
        return _response(answer, output)


def _add_sessions(app: FastAPI, uploads: Uploads) -> None:
    @app.put("/session/")
    def open_session(files: Files, expiry: int = 0) -> dict[str, Any]:
        with _unnamed(uploads):
            session = uploads.open_session(_sent(files), expiry / 60 if expiry > 0 else None)
        return {"session_id": session.id, "session_info": _told(session)}

    @app.get("/session/{session_id}")
    def get_session(session_id: str) -> dict[str, Any]:
        return _told(uploads.session(session_id))

    @app.delete("/session/{session_id}")
    def close_session(session_id: str) -> dict[str, Any]:
        return _told(uploads.close_session(session_id))


def _info(model: WarmModel) -> dict[str, Any]:
    """What 3D Slicer's module reads when it connects; what this service does not do is there and empty."""
    table = {
        "type": "segmentation",
        "labels": model.labels,
        "dimension": 3,
        "description": f"{len(model.labels)} structures by the model {model.name}",
        "config": {"lesion_probability": False},
    }
    empty: dict[str, Any] = {
        key: {} for key in ("trainers", "strategies", "scoring", "train_stats", "datastore")
    }
    return {
        "name": "Wirsung",
        "description": "Pancreas imaging; for research use.",
        "version": __version__,
        "labels": sorted(model.labels, key=lambda name: model.labels[name]),
        "models": {model.name: table},
        **empty,
    }


def _welcome(model: WarmModel, url: str) -> str:
    return (
        f"Wirsung {__version__} serves the model {model.name}, {len(model.labels)} structures. "
        "For research use.\n\n"
        f"A NIfTI image:    curl -F file=@ct.nii.gz {url}predict -o labels.nii.gz\n"
        f"A DICOM series:   curl $(printf -- '-F file=@%s ' series/*) {url}predict -o labels.nii.gz\n"
        f"Volumes as JSON:  curl -F file=@ct.nii.gz '{url}predict?output=json'\n"
        f"3D Slicer:        in the module MONAILabel, the server {url.rstrip('/')}\n"
    )


def _response(answer: Answer, output: Output) -> Response:
    if output == "json":
        return JSONResponse(answer.as_json())
    if output == "image":
        headers = {"X-Wirsung-Notes": " ".join(answer.notes)} if answer.notes else None
        return FileResponse(answer.file, headers=headers, media_type=_GZIP, filename=answer.file.name)
    boundary = secrets.token_hex(16)
    parts = [
        ('name="params"', "application/json", json.dumps(answer.as_json()).encode()),
        (f'name="image"; filename="{answer.file.name}"', _GZIP, answer.file.read_bytes()),
    ]
    body = b"".join(
        f"--{boundary}\r\nContent-Disposition: form-data; {name}\r\nContent-Type: {kind}\r\n\r\n".encode()
        + content
        + b"\r\n"
        for name, kind, content in parts
    )
    return Response(
        body + f"--{boundary}--\r\n".encode(), media_type=f"multipart/form-data; boundary={boundary}"
    )


@contextmanager
def _room(uploads: Uploads, tasks: BackgroundTasks) -> Iterator[Path]:
    """A folder for one request, gone once the answer is sent, or at once where it fails."""
    room = uploads.room()
    try:
        yield room
    except BaseException:
        shutil.rmtree(room, ignore_errors=True)
        raise
    tasks.add_task(shutil.rmtree, room, ignore_errors=True)


@contextmanager
def _unnamed(uploads: Uploads) -> Iterator[None]:
    """Errors speak of the upload, not of where it lay; whatever goes wrong is one sentence."""
    try:
        yield
    except WirsungError as error:
        raise type(error)(uploads.unnamed(str(error))) from error
    except OSError as error:
        msg = f"The upload could not be kept or answered: {error.strerror}."
        raise StorageError(msg) from error
    except MemoryError:
        msg = "There is not enough memory for this image. Try again later, or on a larger machine."
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, msg) from None
    except Exception as error:  # its text may quote a patient's header, and so may its traceback
        raise HTTPException(HTTPStatus.INTERNAL_SERVER_ERROR, unforeseen(error)) from None


async def _refused(_: Request, error: Exception) -> Response:
    return JSONResponse(
        {"detail": str(error)}, status_code=_DISK_FULL if isinstance(error, StorageError) else 400
    )


def _sent(files: list[UploadFile]) -> list[Upload]:
    return [Upload(item.filename or "", item.file) for item in files]


def _params(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text or "{}")
    except ValueError as error:
        msg = "The form field params must be JSON, such as {}."
        raise ConfigError(msg) from error
    return content if isinstance(content, dict) else {}


def _check_model(name: str, model: WarmModel) -> None:
    if name != model.name:
        msg = f"There is no model {name!r} here. {near_names(name, [model.name])}"
        raise ConfigError(msg)


def _no_image(image: str) -> NoReturn:
    what = "an image is named, but no images are stored here" if image else "no image came"
    msg = f"Nothing to predict: {what}. Send it as the form field file, or open a session with it."
    raise ConfigError(msg)


def _told(session: Session) -> dict[str, Any]:
    """Of a session, without where it lies."""
    return {"session_id": session.id}

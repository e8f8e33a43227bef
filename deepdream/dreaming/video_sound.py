"""The sound of a clip, or a song, in the film made from it: copied where an MP4 can hold it, else encoded as AAC.

The times of a sound are those of its clip, minus the time of the clip's first image: it keeps step with the images.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any

import av
import numpy as np

from deepdream.dreaming.video_reader import FORMATS, opened_media, pulled

SOUND_FORMATS = f"{FORMATS},mp3,wav,w64,flac,ogg,aac,aiff,ac3,eac3,caf,amr,ape,wv,tta"
COPIED = ("aac", "mp3", "ac3", "eac3", "alac", "opus", "flac")  # codecs that an MP4 holds and players play
PREROLL = Fraction(1, 10)  # seconds before the first image that are kept: decoders start with sound that is not played
TRIED = 40  # packets
AAC_FORMAT = "sample_fmts=fltp:sample_rates=48000|44100|32000|24000|22050|16000|12000|11025|8000"
AAC_LAYOUTS = "channel_layouts=mono|stereo|5.1"


@dataclass(frozen=True)
class Sound:
    """The sound of the clip `path`, whose first image is at `start` seconds on the clock of the file; or a song.

    is_copied: whether it is not encoded. end: where to cut it, in seconds after the first image; None keeps all of it,
    also what is heard after the last image.
    """

    path: Path
    start: Fraction
    is_copied: bool
    end: Fraction | None = None

    def packets(self, out: Any) -> Iterator[Any]:
        """Its packets for a new stream of the container `out`, which exists after the first.

        Raises av.FFmpegError; where only a part is damaged the sound goes on after it.
        """
        with _opened(self.path) as container:
            track = container.streams.best("audio")
            make = self._copied if self.is_copied else self._encoded
            yield from make(container, track, out)

    def samples(self) -> tuple[np.ndarray[Any, np.dtype[np.float32]], int]:
        """The mean of its channels, (samples,), about -1 to 1, from the first image on; and the samples a second.

        Raises ValueError where nothing can be decoded.
        """
        with _opened(self.path) as container:
            frames = list(self._resampled(container, container.streams.best("audio")))
            rate = frames[0].sample_rate if frames else 1
            parts = [frame.to_ndarray().mean(axis=0, dtype=np.float32) for frame in frames]
        return np.concatenate(parts or [np.zeros(0, np.float32)]), rate

    def _copied(self, container: Any, track: Any, out: Any) -> Iterator[Any]:
        stream = out.add_stream_from_template(track)
        last = None
        for packet in _demuxed(container, track):
            if packet.dts is None or packet.pts is None:
                continue
            shift = round(self.start / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            time = packet.pts * packet.time_base
            if self.end is not None and time >= self.end:
                return
            if time < -PREROLL or (last is not None and packet.dts <= last):  # an MP4's times must grow
                continue
            last = packet.dts
            packet.stream = stream
            yield packet

    def _encoded(self, container: Any, track: Any, out: Any) -> Iterator[Any]:
        frames = self._resampled(container, track)
        first = next(frames, None)
        if first is None:  # all of it is before the first image, or there is none
            return
        stream = out.add_stream("aac", rate=first.sample_rate, layout=first.layout.name)
        samples = 0
        for frame in chain([first], frames):
            if self.end is not None and samples >= self.end * first.sample_rate:
                break
            frame.pts, frame.time_base = samples, Fraction(1, first.sample_rate)  # the filters leave no gap
            samples += frame.samples
            yield from stream.encode(frame)
        yield from stream.encode()

    def _resampled(self, container: Any, track: Any) -> Iterator[Any]:
        """The sound from the first image on, in a form that AAC takes; gaps are silent.

        Raises ValueError where nothing can be decoded.
        """
        graph, is_empty = None, True
        for packet in _demuxed(container, track):
            is_empty = is_empty and packet.size == 0
            with contextlib.suppress(av.FFmpegError):  # a damaged packet is a gap
                for frame in packet.decode():
                    graph = graph or _graph(frame)
                    if frame.pts is not None:
                        frame.pts -= round(self.start / frame.time_base)
                    yield from pulled(graph, frame)
        if graph is not None:
            yield from pulled(graph, None)
        elif not is_empty:
            raise ValueError("nothing of it can be decoded")


def plan_sound(path: Path, start: Fraction) -> Sound | None:
    """How a film made from the clip `path` gets its sound, tried with its first packets; None where it has none.

    start: the time of the clip's first image, in seconds. Raises ValueError for a sound that can be neither copied nor
    decoded.
    """
    with _opened(path) as container:
        track = container.streams.best("audio")
        if track is None:
            return None
        codec = track.codec_context.codec.canonical_name if track.codec_context else "an unknown codec"
    failure: Exception | None = None
    for is_copied in [True, False] if codec in COPIED else [False]:
        sound = Sound(path, start, is_copied)
        try:
            with av.open(io.BytesIO(), "w", format="mp4") as out:
                for packet in list(islice(sound.packets(out), TRIED)):
                    out.mux(packet)
            return sound
        except (av.FFmpegError, ValueError) as error:
            failure = error
    raise ValueError(
        f"the sound of {path} ({codec}) cannot be read ({failure}); save it with AAC sound, or write a GIF"
    )


def _opened(path: Path) -> AbstractContextManager[Any]:
    return opened_media(path, SOUND_FORMATS, "sound", "MP3")


def _demuxed(container: Any, track: Any) -> Iterator[Any]:
    """The packets of a track, up to where the file is cut."""
    with contextlib.suppress(av.FFmpegError):
        yield from container.demux(track)


def _graph(frame: Any) -> Any:
    """The filters that turn sound like `frame`'s into frames for AAC, silent where it has gaps."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(
        sample_rate=frame.sample_rate, format=frame.format, layout=frame.layout, time_base=frame.time_base
    )
    nodes = [source, graph.add("aresample", "async=1:first_pts=0"), graph.add("aformat", f"{AAC_FORMAT}:{AAC_LAYOUTS}")]
    nodes += [graph.add("asetnsamples", "n=1024:p=0"), graph.add("abuffersink")]
    graph.link_nodes(*nodes).configure()
    return graph

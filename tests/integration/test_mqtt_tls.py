"""An MQTT source and a Sparkplug destination over TLS, with certificates, as a user runs it."""

from pathlib import Path

from mappings.quality import GOOD
from simulators.host import SparkplugHost
from simulators.mqtt import MqttSimulator
from tests.support import plants
from tests.support.broker import Mosquitto
from tests.support.certificates import Authority
from tests.support.gateway import GatewayProcess
from tests.support.wait import free_port, until

PLANT = """\
tagbridge: 1
edge_node: {{group: Plant, name: gw, diagnostics: none}}
destinations:
  scada:
    servers: ["mqtts://localhost:{port}"]
    login: {{certificate: pki/gw.pem, key: "${{file:pki/gw.key}}"}}
    tls: {{ca: "pki/plant CA.pem"}}
outbox: {{folder: ./outbox, max_size: 64 MiB}}
devices:
  Camera 7:
    mqtt:
      endpoint: mqtts://127.0.0.1:{port}
      login: {{certificate: pki/gw.pem, key: "${{file:pki/gw.key}}"}}
      tls: {{ca: "pki/plant CA.pem"}}
      base: vision/line3/station7
      time: {{at: $.ts, format: iso8601}}
      sequence: $.frame
      retained: ignore
      alive: {{topic: status, is: online, silence: 10s}}
    tags:
      - {{name: Defect, address: result $.defect, type: bool}}
      - {{name: Confidence, address: result $.confidence, type: float64, low: 0, high: 1}}
      - {{name: Defect class, address: "result $.boxes[0].class", type: string}}
"""
NAMES = ("Defect", "Confidence", "Defect class")


def written(folder: Path, port: int, authority: Authority) -> Path:
    identity = authority.issue("gw", [])
    (authority.folder / "gw.pem").write_bytes(identity.certificate)
    (authority.folder / "gw.key").write_bytes(identity.key)
    path = folder / "plant.yaml"
    path.write_text(PLANT.format(port=port))
    return path


async def test_values_pass_from_a_camera_to_a_host_over_tls(tmp_path: Path) -> None:
    (tmp_path / "pki").mkdir()
    authority = Authority(tmp_path / "pki")
    port = free_port()
    secured = (f"listener {port} 127.0.0.1", *authority.listener(clients=authority))
    path = written(tmp_path, port, authority)
    (link,) = plants.read(path).links
    async with (
        Mosquitto(tmp_path, options=secured) as broker,
        MqttSimulator(link.devices, port=broker.port, period_ms=200) as camera,
        SparkplugHost("127.0.0.1", broker.port) as host,
        GatewayProcess(path) as gateway,
    ):
        await gateway.logged("born")

        def shown(name: str):
            return host.view.metric("Plant", "gw", "Camera 7", name)

        def all_good() -> bool:
            metrics = [shown(name) for name in NAMES]
            return all(m is not None and m.quality == GOOD for m in metrics)

        await until(all_good, what="all metrics good")
        await camera.hold("Camera 7", {"Confidence": 0.25, "Defect class": "scratch"})
        await until(lambda: shown("Confidence").value == 0.25, what="the new confidence")
        await until(lambda: shown("Defect class").value == "scratch", what="the new class")
        await camera.silence("Camera 7")
        await gateway.logged("device silent", device="Camera 7")
        await gateway.logged("device down", device="Camera 7")
        await camera.wake("Camera 7")
        await until(all_good, what="good again")
        assert not host.view.violations
        assert await gateway.terminate() == 0


async def test_a_certificate_that_is_missing_is_said_before_anything_is_opened(tmp_path: Path):
    (tmp_path / "pki").mkdir()
    path = written(tmp_path, free_port(), Authority(tmp_path / "pki"))
    (tmp_path / "pki" / "gw.pem").unlink()
    async with GatewayProcess(path) as gateway:
        await until(lambda: gateway.exit_code is not None, what="its end")
    assert gateway.exit_code == 1
    assert "cannot read the certificate" in gateway.log.read_text()

import pytest
import torch
from scipy.special import rel_entr
from torch import Tensor, nn

from deepdream.models import Network, ResNet
from deepdream.training import SceneClassifier
from deepdream.training.distillation import Teachers
from tests.training.configs import train_config

CLASSES = ["bar", "library", "pantry"]
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


def _network(classes: list[str], seed: int, mean: tuple[float, float, float] = MEAN, size: int = 32) -> Network:
    torch.manual_seed(seed)
    model = ResNet(10, len(classes)).eval()
    nn.init.normal_(model.fc.weight)  # a fresh head says nothing
    return Network(model, classes, mean, STD, size, source="teacher")


def _teachers(*networks: Network, temperature: float = 2.0) -> Teachers:
    return Teachers(networks, classes=CLASSES, mean=MEAN, std=STD, image_size=32, temperature=temperature)


def _images(count: int = 4) -> Tensor:
    torch.manual_seed(9)
    return torch.randn(count, 3, 32, 32)


@torch.no_grad()
def test_teachers_agree_on_the_mean_of_their_softened_probabilities() -> None:
    first, second = _network(CLASSES, 1), _network(CLASSES, 2)
    expected = sum((network.model(_images()) / 3).softmax(1) for network in (first, second)) / 2
    torch.testing.assert_close(_teachers(first, second, temperature=3.0).probabilities(_images()), expected)


@torch.no_grad()
def test_a_teacher_may_have_more_classes_another_order_and_other_colors() -> None:
    teacher = _network(["pantry", "office", "library", "bar"], 1, mean=(0.1, 0.2, 0.3))
    pixels = _images() * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)
    expected = (teacher.model(teacher.normalize(pixels))[:, [3, 2, 0]] / 2).softmax(1)
    torch.testing.assert_close(_teachers(teacher).probabilities(_images()), expected)


@torch.no_grad()
def test_a_teacher_of_another_image_size_sees_objects_at_the_size_that_it_has_learned() -> None:
    teacher = _network(CLASSES, 1, size=48)
    crops = _images()[..., :24, :24]  # of 24 where the student is evaluated at 32
    larger = nn.functional.interpolate(crops, size=(36, 36), mode="bilinear", antialias=True)
    torch.testing.assert_close(_teachers(teacher).probabilities(crops), (teacher.model(larger) / 2).softmax(1))


def test_a_teacher_without_a_class_of_the_data_set_is_refused() -> None:
    with pytest.raises(ValueError, match=r"teacher has no class 'library' and 1 more; a teacher needs every class"):
        _teachers(_network(["bar", "office"], 1))


def test_the_loss_is_the_divergence_of_the_softened_probabilities() -> None:
    teachers, logits = _teachers(_network(CLASSES, 1), temperature=4.0), torch.randn(4, 3)
    taught = teachers.probabilities(_images())
    divergence = rel_entr(taught.numpy(), (logits / 4).softmax(1).numpy()).sum(axis=1).mean()
    assert teachers.loss(logits, taught).item() == pytest.approx(16 * divergence, rel=1e-4)
    assert teachers.loss(4 * taught.log(), taught).item() == pytest.approx(0, abs=1e-5)


@pytest.fixture
def teacher(monkeypatch: pytest.MonkeyPatch) -> Network:
    network = _network(CLASSES, 1)
    monkeypatch.setattr("deepdream.training.classifier.load_network", lambda source: network)
    return network


def _student(*overrides: str) -> SceneClassifier:
    torch.manual_seed(0)
    size = ("model=resnet10", "data.image_size=32", "data.resize=32", "distillation.teachers=[teacher.ckpt]")
    colors = (f"data.mean=[{','.join(map(str, MEAN))}]", f"data.std=[{','.join(map(str, STD))}]")
    student = SceneClassifier(train_config(*size, *colors, *overrides), CLASSES)
    student.log_dict = lambda *_, **__: None
    return student


def test_the_weight_shares_the_loss_between_labels_and_teachers(teacher: Network) -> None:
    batch = (_images(), torch.tensor([0, 1, 2, 0]))
    labels, both, taught = (
        _student(f"distillation.weight={weight}").training_step(batch, 0).item() for weight in (0, 0.25, 1)
    )
    assert both == pytest.approx(0.75 * labels + 0.25 * taught, rel=1e-5)
    logits = _student()(batch[0])
    assert labels == pytest.approx(nn.functional.cross_entropy(logits, batch[1]).item(), rel=1e-5)


def test_a_student_learns_from_its_teacher_alone_and_the_teacher_does_not_change(teacher: Network) -> None:
    before = {name: value.clone() for name, value in teacher.model.state_dict().items()}
    student = _student("distillation.weight=1", "distillation.temperature=1")
    images = _images(16)
    answers = teacher.model(images).argmax(1)
    assert len(set(answers.tolist())) > 1
    optimizer = torch.optim.Adam(student.parameters(), lr=1e-3)
    for _ in range(30):
        optimizer.zero_grad()
        student.training_step((images, (answers + 1) % 3), 0).backward()  # every label is another class
        optimizer.step()
    assert (student(images).argmax(1) == answers).float().mean() > 0.9
    assert all(torch.equal(value, before[name]) for name, value in teacher.model.state_dict().items())
    assert not teacher.model.training
    assert not any("teacher" in name for name in student.state_dict())


def test_the_teacher_sees_images_before_they_are_perturbed(teacher: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []
    monkeypatch.setattr(teacher.model, "forward", lambda images: seen.append(images) or torch.zeros(len(images), 3))
    _student("adversarial_eps=2").training_step((_images(), torch.tensor([0, 1, 2, 0])), 0)
    torch.testing.assert_close(seen[-1], _images(), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@torch.no_grad()
def test_a_teacher_of_one_image_size_gets_crops_at_that_size() -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Conv2d(3, 4, 8, stride=8), nn.Flatten(), nn.Linear(4 * 8 * 8, 3)).eval()
    probabilities = _teachers(Network(model, CLASSES, MEAN, STD, 64, source="teacher")).probabilities(
        _images()[..., :24, :24]
    )
    assert probabilities.shape == (4, 3)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(4))

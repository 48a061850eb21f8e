// A broker in JavaScript for the tests: `node aedes_broker.js`, prints its port, runs until killed.
const net = require("net");
const { Aedes } = require("aedes");

Aedes.createBroker().then((broker) => {
  const server = net.createServer(broker.handle);
  server.listen(Number(process.argv[2] || 0), "127.0.0.1", () => {
    console.log(server.address().port);
  });
});

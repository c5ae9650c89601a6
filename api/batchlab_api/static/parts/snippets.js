/** What the page shows, as a line for a shell or a script. */

const server = () => location.origin;
const quoted = (text) => `'${text.replace(/'/g, "'\\''")}'`;

/** A spec as a curl command. */
export const curl = (spec) =>
  `curl -X POST ${server()}/experiments \\\n  -H "Authorization: Bearer $BATCHLAB_TOKEN" \\\n` +
  `  -H "Content-Type: application/json" \\\n  -d ${quoted(spec)}\n`;

/** A spec as a Python script. */
export const python = (spec) =>
  `import json\n\nfrom batchlab_client import Client\n\nspec = json.loads(r"""\n${spec}\n""")\n` +
  `with Client("${server()}") as lab:\n    experiment = lab.submit(spec)\n    print(experiment.id)\n`;

/** A GET as a curl command. */
export const curlGet = (path) => `curl -H "Authorization: Bearer $BATCHLAB_TOKEN" ${quoted(server() + path)}\n`;

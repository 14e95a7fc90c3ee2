/** `retrace import`: history that was made elsewhere. */
import { defineVerb } from "retrace";
import { agentSessions } from "./import/agent-sessions.ts";
import { corrections } from "./import/corrections.ts";
import { crowdLabels } from "./import/crowd-labels.ts";
import { documents } from "./import/documents.ts";
import { registerFiles } from "./import/files-verb.ts";
import { predictions } from "./import/predictions.ts";
import { preferences } from "./import/preferences.ts";
import { ratings } from "./import/ratings.ts";
import { registerTrainingLog } from "./import/training-log-verb.ts";

export default defineVerb({
  name: "import",
  register: (program, tools) => {
    const verb = program
      .command("import")
      .description("bring in history that was made elsewhere")
      .addHelpText("after", "\nExample:\n  $ retrace import training-log logs/*.txt logs/*.csv");
    registerTrainingLog(verb, tools);
    registerFiles(verb, preferences, tools);
    registerFiles(verb, corrections, tools);
    registerFiles(verb, ratings, tools);
    registerFiles(verb, predictions, tools);
    registerFiles(verb, crowdLabels, tools);
    registerFiles(verb, documents, tools);
    registerFiles(verb, agentSessions, tools);
  },
});

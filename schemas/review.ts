/** What the commands and events of a review carry. */
import { z } from "zod";
import { count, identifier, imported, importSource, json, jsonObject, key, nested, text, time } from "./fields.ts";

/** How many votes a review may ask for: the event of its result carries them all. */
const maxVotes = 100;

/** The same for votes in free text, which are longer. */
const maxFreeTextVotes = 20;

/** Also for a lease that says until when. */
export const maxLeaseMs = 7 * 24 * 60 * 60 * 1000;

/**
 * What a reviewer says: one of the options, or free text. Line breaks and tabs are its only control characters, and it is
 * not the one name that JavaScript objects cannot hold: what is known of labels is kept by label.
 */
const label = z
  .string()
  .min(1)
  .max(4096)
  .regex(/^(?!__proto__$)(?:[^\p{Cc}\p{Cs}]|[\t\n\r])+$/u, "a text without control characters");

const option = label.max(256);

/** Votes wanted. */
const k = z.int().min(1).max(maxVotes);

const reviewer = key;

/** What is reviewed and what kind of question it is: each event says so. */
const about = {
  subject: nested({ category: identifier, id: identifier, version: key.optional() }).optional(),
  taskKind: identifier.optional(),
};

/** Higher comes first. */
const priority = z.number();

const request = {
  ...about,
  question: json.optional(),
  /** Where there are any, they are the only labels; without, labels are free text. */
  options: z.array(option).max(1000).optional(),
  rubric: json.optional(),
  requiredSkills: z.array(identifier).max(64).optional(),
  excludedReviewers: z.array(reviewer).max(500).optional(),
  priority: priority.optional(),
  dueAt: time.optional(),
  /** The label that is known to be right. It is in this event alone, so that nothing made for reviewers can show it. */
  gold: label.optional(),
  reason: text.optional(),
  ...imported,
};

const byReviewer = { reviewer, reason: text.optional() };

const ballot = { reviewer, label, effortMs: z.number().min(0).optional(), comment: text.optional() };

const vote = { ...ballot, ...imported };

/** A vote among others of the same file. Each becomes an event of its own, so it has no other fields than that. */
const { source: _ofAll, ...line } = imported;
const listedVote = z.strictObject({ ...ballot, ...line });

const extension = { k, reason: text.optional() };

/** How the result was found: with the votes, all that is needed to find it again. */
const basis = {
  parameters: jsonObject.optional(),
  /** Probability by label. */
  posterior: z.record(label, z.number().min(0).max(1)).optional(),
  reason: text.optional(),
};

const castVotes = z.array(nested({ reviewer, label })).max(maxVotes);

/** What the sender counted: each vote, the number for each label, or the number of all. */
const countedVotes = z.union([castVotes, z.record(label, count), count]);

const result = { ...basis, method: identifier, votes: castVotes, ...about };

const verdict = { reviewer, label, comment: text.optional() };

const acceptance = { reviewer, comment: text.optional() };

const escalation = {
  level: z.int().min(1).max(1000),
  reason: text.optional(),
  priority: priority.optional(),
  /** The time for this level. */
  dueAt: time.optional(),
};

const cancellation = {
  reason: text.optional(),
  /** Nobody decided in time. */
  expired: z.boolean().optional(),
};

export const review = {
  commands: {
    /** One vote unless `k` says more, and no more than `k` unless `maxK` does. */
    RequestReview: z
      .strictObject({ ...request, k: k.optional(), maxK: k.optional() })
      .superRefine((requested, context) => {
        const { k = 1, maxK = k, options = [], gold } = requested;
        const refuse = (path: string, message: string): void =>
          context.addIssue({ code: "custom", path: [path], message });
        if (maxK < k) refuse("maxK", "maxK is at least k");
        if (options.length === 0 && maxK > maxFreeTextVotes) {
          refuse(requested.maxK === undefined ? "k" : "maxK", `at most ${maxFreeTextVotes} votes in free text`);
        }
        if (gold !== undefined && options.length > 0 && !options.includes(gold)) refuse("gold", "one of the options");
      }),
    /** Asks somebody; it keeps no place for them and keeps nobody else away. */
    AssignReview: z.strictObject(byReviewer),
    /** For half an hour, unless it says how long, or until when: at most seven days. */
    ClaimReview: z
      .strictObject({ reviewer, leaseMs: z.int().min(1).max(maxLeaseMs).optional(), leaseUntil: time.optional() })
      .refine(({ leaseMs, leaseUntil }) => leaseMs === undefined || leaseUntil === undefined, {
        path: ["leaseUntil"],
        message: "a lease has either leaseMs or leaseUntil",
      }),
    SubmitLabel: z.strictObject(vote),
    /** Votes that were cast elsewhere, without a lease here: all of them, or none. */
    RecordLabels: z.strictObject({
      labels: z.array(listedVote).min(1).max(maxVotes),
      source: importSource.optional(),
    }),
    SkipReview: z.strictObject(byReviewer),
    /** Gives back a lease, or an assignment. */
    ReleaseReview: z.strictObject(byReviewer),
    ExpireClaim: z.strictObject({ reviewer }),
    ExtendReview: z.strictObject(extension),
    /**
     * By majority, unless it names another method. The label by `one-coin` and `dawid-skene` follows from `parameters`
     * and is computed as well, with the posterior; of any other method the label is what that method found, and without
     * one the review is disputed. `votes` is checked against those that were cast.
     */
    CloseReview: z
      .strictObject({
        ...basis,
        method: identifier.optional(),
        label: label.optional(),
        votes: countedVotes.optional(),
        /** Whatever the label would be: it is not certain enough, or those who voted are not to be trusted. */
        disputed: z.boolean().optional(),
      })
      .refine(({ disputed, label }) => disputed !== true || label === undefined, {
        path: ["label"],
        message: "a disputed review has no label",
      }),
    AdjudicateReview: z.strictObject(verdict),
    AcceptLabel: z.strictObject(acceptance),
    FixLabel: z.strictObject(verdict),
    ReturnLabel: z.strictObject(byReviewer),
    EscalateReview: z.strictObject(escalation),
    CancelReview: z.strictObject(cancellation),
  },
  events: {
    HumanReviewRequested: z.looseObject({ ...request, k, maxK: k }),
    ReviewAssigned: z.looseObject({ ...byReviewer, ...about }),
    ReviewClaimed: z.looseObject({ reviewer, leaseUntil: time, ...about }),
    ReviewReleased: z.looseObject({ ...byReviewer, ...about }),
    ReviewClaimExpired: z.looseObject({ reviewer, leaseUntil: time, ...about }),
    HumanLabelSubmitted: z.looseObject({ ...vote, ...about }),
    ReviewSkipped: z.looseObject({ ...byReviewer, ...about }),
    ReviewExtended: z.looseObject({ ...extension, ...about }),
    ReviewConsensusReached: z.looseObject({ ...result, label }),
    ReviewDisputed: z.looseObject(result),
    ReviewAdjudicated: z.looseObject({ ...verdict, ...about }),
    /** The label as it was accepted. */
    ReviewAccepted: z.looseObject({ ...verdict, ...about }),
    /** `original` is the label that it replaces. */
    ReviewFixed: z.looseObject({ ...verdict, original: label, ...about }),
    /** The label as it was returned. */
    ReviewReturned: z.looseObject({ ...byReviewer, label, ...about }),
    ReviewEscalated: z.looseObject({ ...escalation, ...about }),
    ReviewCancelled: z.looseObject({ ...cancellation, ...about }),
  },
};
